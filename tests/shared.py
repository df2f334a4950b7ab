"""What takes long to make is made once per session, by whichever worker of pytest-xdist asks first."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is filled once per session, by the first who asks; the other workers wait for it.

    Nobody may change it: a test that would takes a copy. If `make` fails, the next who asks tries again.

    Args:
        factory: Pytest's own; the folder is beside those of the workers.
        name: Of the folder; no two fixtures have the same.
        make: Fills the empty folder that it is given.
    """
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = root / f"once-{name}", root / f"once-{name}.done"
    with (root / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
