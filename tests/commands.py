"""Runs the command line in this process, and gives what a shell would see."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest import mock

from offramp.cli import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def call(*arguments: object) -> Done:
    """Run `offramp ARGUMENTS`."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["offramp", *map(str, arguments)]
    code: Any = 0
    with mock.patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    return Done(code=code or 0, out=out.getvalue(), err=err.getvalue())
