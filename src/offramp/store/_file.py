"""The file that a user names to be written: whole or not at all, and never something else than what was there."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from offramp.errors import OutputError

from ._lock import lock, resolve

DESCRIPTOR = re.compile(r"/(?:dev|proc/(?:self|thread-self))/fd/(\d+)")  # where /dev/stdout leads
MOST_LINKS = 40


@contextmanager
def reserve_file(out: Path | None) -> Iterator[None]:
    """Have a file to oneself from before the work until it is written, and refuse what cannot be written.

    Args:
        out: That will be written by `open_file`, or None for none.

    Raises:
        OutputError: It is a folder, its folder is none, or another command is writing it.
    """
    if out is None or _passes_through(out):
        yield
        return
    target = resolve(out)
    if target.is_dir():
        raise OutputError(f"out must be a file, but {out} is a folder. Name a file in it.", about=["out"])
    if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
        raise OutputError(
            f"out must be a file that may be written, but {out} is none. Choose another file.", about=["out"]
        )
    if not target.parent.is_dir():
        raise OutputError(f"{out} must lie in a folder, but {target.parent} is none. Make it, or choose another file.")
    with lock(target):
        yield


@contextmanager
def open_file(out: Path) -> Iterator[BinaryIO]:
    """A file to write: it appears under its name when it is whole, and what fails leaves the old one.

    A symbolic link stays and its target is written; pipes, terminals and other devices, and what the process has open,
    such as /dev/stdout, are written as the bytes come.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        with _open_through(out) if _passes_through(out) else _open_whole(resolve(out)) as file:
            yield file
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{out} must be writable, but: {error.strerror or error}. Choose another file.") from error


@contextmanager
def _open_whole(target: Path) -> Iterator[BinaryIO]:
    scratch = target.with_name(f".{target.name}.partial")
    try:
        with scratch.open("wb") as file:
            yield file
        with suppress(OSError):  # the rights of the old one, if there is one
            shutil.copymode(target, scratch)
        scratch.replace(target)
    finally:
        with suppress(OSError):
            scratch.unlink()


def _open_through(out: Path) -> BinaryIO:
    number = _descriptor(out)
    return out.open("wb") if number is None else open(number, "wb", closefd=False)


def _passes_through(out: Path) -> bool:
    """Whether bytes go straight to what is there, because a file in its place would be something else.

    Raises:
        OutputError: It is a descriptor that is not open for writing.
    """
    number = _descriptor(out)
    if number is not None:
        try:
            os.write(number, b"")
        except OSError as error:
            raise OutputError(
                f"out must be open for writing, but {out} is not. Choose another file.", about=["out"]
            ) from error
        return True
    try:
        mode = out.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _descriptor(out: Path) -> int | None:
    """The number of what this process has open, if that is what a name leads to."""
    place = Path(os.path.normpath(out.absolute()))
    for _ in range(MOST_LINKS):
        found = DESCRIPTOR.fullmatch(place.as_posix())
        if found:
            return int(found[1])
        if not place.is_symlink():
            return None
        place = Path(os.path.normpath(place.parent / place.readlink()))
    return None
