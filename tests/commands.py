"""Runs the command line in this process or in one of its own, and gives what a shell would see."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
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


# As a shell would start `offramp`. What a script starts in the background is deaf to SIGINT, and so are its children.
CODE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from offramp.cli import main; main()"
COMMAND = [sys.executable, "-c", CODE]


@contextmanager
def start(*words: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, which does not outlive a test that fails."""
    with subprocess.Popen([*COMMAND, *map(str, words)], stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


HOLD = """
import sys
from pathlib import Path
from offramp.store._lock import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_by_another(place: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has the place until it is told to go on."""
    command = [sys.executable, "-c", HOLD, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        with suppress(BrokenPipeError):  # it may be gone
            process.communicate("\n")
