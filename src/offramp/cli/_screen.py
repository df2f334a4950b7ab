"""What a person sees while a command runs: steps on a terminal, warnings always; never on standard output."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from offramp.errors import OfframpWarning

Part = TypeVar("Part", bound=Sized)


class Screen:
    """Where progress goes.

    Args:
        quiet: True shows no progress, as with --json; warnings stay.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self.lively = self._console.is_terminal and not quiet
        self.warnings: list[str] = []

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say what is being done, and how long it took."""
        start = time.monotonic()
        if self.lively:
            self._console.print(f"[dim]·[/] {text}", soft_wrap=True)
        with self._hearing():
            yield
        if self.lively and (taken := time.monotonic() - start) >= 1:
            self._console.print(f"[dim]  {taken:.0f} s[/]")

    def progress(self, parts: Iterable[Part], total: int, text: str) -> Iterator[Part]:
        """Give the parts as they come, and show how much of the total their lengths have made."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self.lively) as bar:
            task = bar.add_task(text, total=total)
            for part in parts:
                yield part
                bar.advance(task, len(part))

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        """Take the library's own warnings, each once, and leave those of others alone."""
        with warnings.catch_warnings():
            others = warnings.showwarning

            def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
                if not issubclass(category, OfframpWarning):
                    others(message, category, *place, **more)
                elif str(message) not in self.warnings:
                    self.warn(str(message))

            warnings.showwarning = show
            warnings.simplefilter("always", OfframpWarning)
            yield

    def warn(self, text: str) -> None:
        """Say on standard error what the user should know, and remember it for the result."""
        self.warnings.append(text)
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)
