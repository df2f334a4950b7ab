"""One run at a time in one place: a lock that dies with its process."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from offramp.errors import OutputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BUSY = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)  # somebody else has it; Windows has names of its own
UNABLE = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)  # what disks without locks say
SHUT = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def lock(place: Path, *, needed: bool = True) -> Iterator[None]:
    """Have a place to oneself: a folder or file that is written, whatever name leads to it.

    The lock is a hidden file beside the place, held by the operating system for this process: it is free as soon as the
    process is gone, however it ended, and a file that a killed one left keeps nobody out. On a disk that knows no locks
    a warning says so.

    Args:
        place: Folder or file, which need not be there; folders above it are made.
        needed: False goes on without a lock if no file may be made beside the place.

    Raises:
        OutputError: Another process has the place, or nothing can be written beside it.

    Example:
        >>> import tempfile
        >>> with lock(Path(tempfile.mkdtemp()) / "out"):
        ...     print("alone")
        alone
    """
    place = resolve(place)
    made = _missing(place.parent)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        taken = _take(place)
    except OSError as error:
        _remove(made)
        if isinstance(error, OutputError):
            raise
        if needed or error.errno not in SHUT:
            raise OutputError(
                f"{place} must be writable, but: {error.strerror or error}. Choose another place."
            ) from error
        yield
        return
    try:
        yield
    finally:
        _give_back(place, taken)
        _remove(made)


def resolve(place: Path) -> Path:
    """The one name of a place, behind symbolic links, dots and the working folder.

    Raises:
        OutputError: Links lead round in a circle.
    """
    try:
        return place.resolve()
    except (OSError, RuntimeError) as error:  # Python 3.11 and 3.12 say RuntimeError
        raise OutputError(f"{place} must lead to a place, but its links go in a circle. Choose another.") from error


def _name(place: Path) -> Path:
    return place.parent / f".{place.name}.lock"


def _take(place: Path) -> int:
    """The open file of the lock; one that was removed in between is no lock.

    Raises:
        OutputError: Another process has it.
        OSError: It cannot be made.
    """
    while True:
        file = os.open(_name(place), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _hold(file)
        except OSError as error:
            if error.errno in UNABLE:
                warnings.warn(f"{place} lies on a disk without locks: start no second run there.", stacklevel=2)
                return file
            owner = _owner(file)
            os.close(file)
            if error.errno not in BUSY:
                raise
            raise OutputError(
                f"{place} must be free, but {owner} is writing it. Wait until that is done, or choose another place."
            ) from error
        if _is_current(file, _name(place)):
            os.truncate(_name(place), 0)
            os.write(file, str(os.getpid()).encode())
            return file
        os.close(file)


if sys.platform == "win32":

    def _hold(file: int) -> None:
        os.lseek(file, 1 << 20, os.SEEK_SET)  # far behind the number, which others read
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:

    def _hold(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner(file: int) -> str:
    """Who has the lock, as far as that is written."""
    with suppress(OSError):
        os.lseek(file, 0, os.SEEK_SET)
        number = os.read(file, 20).decode(errors="replace")
        if number.isdigit():
            return f"process {number}"
    return "another process"


def _is_current(file: int, name: Path) -> bool:
    """Whether the file that is held is the one that others would open."""
    try:
        return os.path.samestat(os.fstat(file), name.stat())
    except FileNotFoundError:
        return False


def _give_back(place: Path, file: int) -> None:
    """Remove the file while it is held, so that nobody can hold one without a name; Windows wants it closed."""
    if sys.platform != "win32":
        with suppress(OSError):
            _name(place).unlink()
    os.close(file)
    if sys.platform == "win32":
        with suppress(OSError):
            _name(place).unlink()


def _missing(folder: Path) -> list[Path]:
    """The folders that are not there, the deepest first."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


def _remove(made: list[Path]) -> None:
    """Folders that were made for nothing."""
    for folder in made:
        try:
            folder.rmdir()
        except OSError:
            return
