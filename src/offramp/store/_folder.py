"""The output folder: made in a hidden folder beside it, and renamed when whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offramp.errors import OptionError, OutputError

from ._lock import lock, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFolder:
    """A run that is not finished.

    Attributes:
        out: Where the result will be.
        path: The hidden folder in which it is made.
    """

    out: Path
    path: Path

    @property
    def checkpoint(self) -> Path:
        """Where the training stands."""
        return self.path / "heads.safetensors"

    @property
    def request(self) -> Path:
        """The options that a resumed run must share."""
        return self.path / "request.json"

    @property
    def whole(self) -> Path:
        """The folder that becomes `out`."""
        return self.path / "whole"

    @property
    def old(self) -> Path:
        """Where an earlier result waits until the new one is in its place."""
        return self.path / "old"

    def finish(self) -> None:
        """Put the result in its place, and remove the rest.

        At every moment the earlier result or the new one is there whole: what stops between the two renames puts the
        earlier one back, and if even that is prevented, the next command does (`put_back`).

        Raises:
            OutputError: The place cannot be written; then the earlier result is there.
        """
        try:
            if self.out.exists():
                self.out.rename(self.old)
            self.whole.rename(self.out)
        except OSError as error:
            self.put_back()
            raise _refused(self.out, error) from error
        except BaseException:  # an interrupt
            self.put_back()
            raise
        with suppress(OSError):  # the result is in its place, whatever stays here
            self.checkpoint.unlink(missing_ok=True)
            shutil.rmtree(self.path)

    def put_back(self) -> bool:
        """Put an earlier result back if nothing is in its place; gives whether one is still kept here."""
        if os.path.lexists(self.out):
            return False
        with suppress(OSError):
            self.old.rename(self.out)
        return self.old.exists()

    def abandon(self) -> bool:
        """Remove the folder unless a training or an earlier result is kept in it; gives whether a training is."""
        kept = self.put_back()
        if self.checkpoint.exists():
            return True
        if not kept:
            shutil.rmtree(self.path, ignore_errors=True)
        return False


@contextmanager
def reserve(out: Path, *, needed: bool = True) -> Iterator[None]:
    """Have a folder to oneself while it is written, and put back what an interrupted command left beside it.

    Args:
        out: Where a result is or will be, by whatever name.
        needed: False goes on without a lock if nothing may be written beside the folder.

    Raises:
        OutputError: Another command is writing it, or nothing can be written beside it.
    """
    with lock(out, needed=needed):
        for work in _places(out):
            work.put_back()
        yield


def repair(folder: Path) -> None:
    """Put a result back that an interrupted command left beside its place, unless one is at work there."""
    if not folder.exists() and any(work.old.exists() for work in _places(folder)):
        with suppress(OutputError), reserve(folder):
            pass


def _put_back(work: WorkFolder) -> None:
    """Before the hidden folder is made anew; errors as for `open_folder`."""
    if work.put_back():
        raise OutputError(f"{work.old} must go back to {work.out}, but cannot. Put it there, and try again.")


def _places(out: Path) -> list[WorkFolder]:
    """The hidden folders beside a result."""
    out = resolve(out)
    return [WorkFolder(out=out, path=out.parent / f".{out.name}.{kind}") for kind in ("partial", "changed")]


def check_out(out: Path) -> None:
    """Refuse a place that holds something else than a result of ours.

    Raises:
        OutputError: It is a file, or a folder with other things in it.
    """
    if os.path.lexists(resolve(out)) and not out.is_dir():
        raise OutputError(f"out must be a folder, but {out} is a file. Choose another folder.", about=["out"])
    if out.is_dir() and any(out.iterdir()) and not (out / "result.json").is_file():
        raise OutputError(
            f"out must be new, empty or an earlier result, but {out} holds other files. Choose another.",
            about=["out"],
        )
    if resolve(out).is_mount():
        raise OutputError(
            f"out is replaced as a whole, but {out} is a disk of its own. Name a folder in it.", about=["out"]
        )


def check_killed(out: Path, deciding: Mapping[str, Any], *, resume: bool, fresh: bool) -> bool:  # Any: JSON
    """Refuse to start over heads that a killed run trained, unless told what to do with them.

    Args:
        out: Where the result will be.
        deciding: The options that a resumed run must share.
        resume: Go on from what is there.
        fresh: Throw away what is there.

    Returns:
        Whether there are such heads.

    Raises:
        OptionError: Heads are there and nothing was said of them, or they were trained with other options.
    """
    work, _ = _places(out)
    there = work.checkpoint.exists()
    if there and not (resume or fresh):
        raise OptionError(
            f"{work.path} holds heads that a killed run trained. Repeat it with resume=True to go on from them, "
            "or with fresh=True to throw them away.",
            about=["resume=True", "fresh=True"],
        )
    if resume and work.request.is_file():
        _check_same(_read_request(work.request), deciding, work.path)
    return there


def open_folder(
    out: Path, deciding: Mapping[str, Any], *, resume: bool = False, fresh: bool = False
) -> WorkFolder:  # Any: JSON
    """Make the hidden folder, or take up the one that a killed run left.

    Args:
        out: Where the result will be; a symbolic link is followed and stays.
        deciding: The options that a resumed run must share.
        resume: Go on from what is there, if anything is.
        fresh: Throw away what is there.

    Raises:
        OptionError: As for `check_killed`.
        OutputError: The place cannot be written.
    """
    check_killed(out, deciding, resume=resume, fresh=fresh)
    work, _ = _places(out)
    _put_back(work)
    try:
        if not resume and work.path.exists():
            shutil.rmtree(work.path)
        work.path.mkdir(parents=True, exist_ok=True)
        for rest in (work.whole, work.old):  # an old result that is still here was replaced
            shutil.rmtree(rest, ignore_errors=True)
        work.whole.mkdir()
        replace_text(work.request, json.dumps(dict(deciding)))
    except OSError as error:
        raise _refused(out, error) from error
    return work


def copy_folder(source: Path, to: Path | None = None) -> WorkFolder:
    """Make a hidden copy of a finished result, to be changed and put in its place, or in another.

    In its own place files are linked, so replace one to change it, never write into it.

    Raises:
        OutputError: The place cannot be written.
    """
    _, work = _places(source if to is None else to)
    out = work.out
    _put_back(work)
    try:
        if work.path.exists():
            shutil.rmtree(work.path)
        work.path.mkdir(parents=to is not None)
        shutil.copytree(source.resolve(), work.whole, copy_function=_link if to is None else shutil.copy2)
    except OSError as error:
        work.abandon()
        raise _refused(out, error) from error
    except BaseException:  # an interrupt
        work.abandon()
        raise
    return work


def replace_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; errors as for `replace_bytes`."""
    replace_bytes(path, text.encode("utf-8"))


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: The place cannot be written.
    """
    scratch = path.with_name(f".{path.name}.partial")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with suppress(OSError):
            scratch.unlink()


def _link(source: str, target: str) -> None:
    """A second name for the same file, or a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _read_request(path: Path) -> dict[str, Any]:  # Any: JSON
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{path} must say what the killed run was asked for, but is broken. Start anew with fresh=True.",
            about=["fresh=True"],
        ) from error
    return found if isinstance(found, dict) else {}


def _check_same(then: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:  # Any: JSON
    other = [name for name in now if then.get(name) != now[name]]
    if other:
        raise OptionError(
            f"going on needs the options of the killed run, but {', '.join(other)} differ from {path}. "
            "Repeat them, or start anew with fresh=True.",
            about=[*other, "fresh=True"],
        )


def _refused(out: Path, error: OSError) -> OutputError:
    return OutputError(f"{out} must be writable, but: {error.strerror or error}. Choose another folder.")
