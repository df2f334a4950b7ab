"""The output folder: made in a hidden folder beside it, and renamed when whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offramp.errors import OptionError, OutputError


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
    def whole(self) -> Path:
        """The folder that becomes `out`."""
        return self.path / "whole"

    def finish(self) -> None:
        """Put the result in its place, and remove the rest.

        Raises:
            OutputError: The place cannot be written.
        """
        old = self.path / "old"
        try:
            if self.out.exists():
                self.out.rename(old)
            self.whole.rename(self.out)
            shutil.rmtree(self.path)
        except OSError as error:
            if old.exists() and not self.out.exists():
                old.rename(self.out)
            raise _refused(self.out, error) from error

    def abandon(self) -> bool:
        """Remove the folder unless a training is kept in it; gives whether one is."""
        if self.checkpoint.exists():
            return True
        shutil.rmtree(self.path, ignore_errors=True)
        return False


def check_out(out: Path) -> None:
    """Refuse a place that holds something else than a result of ours.

    Raises:
        OutputError: It is a file, or a folder with other things in it.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"--out must be a folder, but {out} is a file. Choose another folder.")
    if out.is_dir() and any(out.iterdir()) and not (out / "result.json").is_file():
        raise OutputError(
            f"--out must be new, empty or an earlier result, but {out} holds other files. Choose another."
        )


def open_folder(out: Path, deciding: Mapping[str, Any], *, resume: bool) -> WorkFolder:  # Any: JSON
    """Make the hidden folder, or take up the one that a killed run left.

    Args:
        out: Where the result will be.
        deciding: The options that a resumed run must share.
        resume: Go on from what is there, if anything is.

    Raises:
        OptionError: What is there was made with other options.
        OutputError: The place cannot be written.
    """
    out = out.absolute()
    work = WorkFolder(out=out, path=out.parent / f".{out.name}.partial")
    request = work.path / "request.json"
    if resume and request.is_file():
        _check_same(json.loads(request.read_text()), deciding, work.path)
    try:
        if not resume and work.path.exists():
            shutil.rmtree(work.path)
        work.path.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(work.whole, ignore_errors=True)
        work.whole.mkdir()
        request.write_text(json.dumps(dict(deciding)))
    except OSError as error:
        raise _refused(out, error) from error
    return work


def copy_folder(source: Path, to: Path | None = None) -> WorkFolder:
    """Make a hidden copy of a finished result, to be changed and put in its place, or in another.

    In its own place files are linked, so replace one to change it, never write into it.

    Raises:
        OutputError: The place cannot be written.
    """
    out = (source if to is None else to).resolve()
    work = WorkFolder(out=out, path=out.parent / f".{out.name}.changed")
    try:
        if work.path.exists():
            shutil.rmtree(work.path)
        work.path.mkdir(parents=to is not None)
        shutil.copytree(source.resolve(), work.whole, copy_function=_link if to is None else shutil.copy2)
    except OSError as error:
        raise _refused(out, error) from error
    return work


def replace_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; errors as for `replace_bytes`."""
    replace_bytes(path, text.encode())


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
        scratch.unlink(missing_ok=True)
        raise _refused(path, error) from error


def _link(source: str, target: str) -> None:
    """A second name for the same file, or a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _check_same(then: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:  # Any: JSON
    other = [f"--{name.replace('_', '-')}" for name in now if then.get(name) != now[name]]
    if other:
        raise OptionError(
            f"--resume needs the options of the killed run, but {', '.join(other)} differ from {path}. "
            "Repeat them, or leave --resume out to start anew."
        )


def _refused(out: Path, error: OSError) -> OutputError:
    return OutputError(f"{out} must be writable, but: {error.strerror or error}. Choose another folder.")
