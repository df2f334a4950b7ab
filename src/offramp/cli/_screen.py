"""What a person sees while a command runs: steps and how far they are, warnings; never on standard output.

On a terminal each step has a bar. Elsewhere, as in a log, a long step has a line now and then, and in a long command
each step has one when it starts and one when it is done; short commands are silent there, for who runs them hourly.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from offramp.errors import OfframpWarning
from offramp.pipeline import Progress
from offramp.pipeline._durations import tell_about, tell_seconds

from ._words import say_options

INTERVAL_S = 30.0  # between two lines of one step
REFRESH = 2  # times a second; more would disturb what is timed


@dataclass(slots=True)
class _Step:
    """What is being done, since when, and how far it is; `first` is when that was told first, and how much was done."""

    text: str
    start: float
    done: int = 0
    total: int = 0
    detail: str = ""
    first: tuple[float, int] | None = None

    def left(self, now: float) -> float | None:
        """Seconds that the rest takes at the pace so far, if that is known."""
        if self.first is None or self.done <= self.first[1]:
            return None
        since, before = self.first
        return (self.total - self.done) * (now - since) / (self.done - before)


class Terminal:
    """Shows how far a command is; the listener of the command line.

    Args:
        quiet: True shows no progress, as with --json.
        log: Whether each step has its lines where there is no terminal.
        interval_s: Seconds between two lines of one step where there is no terminal.
        clock: Gives seconds that go by.
    """

    def __init__(
        self, *, quiet: bool = False, log: bool = False, interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._console = Console(stderr=True, highlight=False)
        self._interval_s, self._clock = interval_s, clock
        self._lively = self._console.is_terminal and not quiet
        self._plain = not self._console.is_terminal and not quiet
        self._log = log and self._plain
        self._steps: list[_Step] = []  # the innermost last
        self._bar: tuple[Bars, TaskID] | None = None
        self._shown = ExitStack()  # what the outermost step shows
        self._others = warnings.showwarning

    @property
    def shows(self) -> bool:
        """Whether progress is shown at all."""
        return self._lively or self._log

    def __call__(self, event: Progress) -> None:
        """Show what happened."""
        if event.state == "said":
            self.say(event.step)
        elif event.state == "begun":
            self._begin(event)
        elif event.state == "going":
            self._go_on(event)
        else:
            self._end(event)

    def _begin(self, event: Progress) -> None:
        if event.is_titled and self._lively:
            self._console.print(f"[dim]·[/] {event.step}", soft_wrap=True)
        elif event.is_titled and self._log:
            self.say(f"· {event.step}")
        self._steps.append(_Step(event.step, self._clock()))
        if len(self._steps) == 1:
            self._shown = ExitStack()
            if self._lively:
                self._shown.enter_context(self._drawn(event.step))
            elif self._plain:
                self._shown.enter_context(self._beating())

    def _go_on(self, event: Progress) -> None:
        """Take note of how far the step is; cheap, since it is called often."""
        step = self._steps[-1]
        step.done, step.total, step.detail = event.done, event.total, event.detail
        step.first = step.first or (self._clock(), event.done)
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=event.done, total=event.total, description=event.detail or step.text)

    def _end(self, event: Progress) -> None:
        step = self._steps.pop()
        if not self._steps:
            self._shown.close()
        taken = self._clock() - step.start
        if event.state == "stopped" or not event.is_titled:
            return
        if self._lively and taken >= 1:
            self._console.print(f"[dim]  {taken:.0f} s[/]")
        elif self._log:
            self.say(f"  done in {tell_seconds(taken)}")

    def beat(self) -> None:
        """One line about the step that is being done."""
        if not self._steps:
            return
        step, now = self._steps[-1], self._clock()
        parts = [f"{step.text}: {tell_seconds(now - step.start)} so far"]
        if step.total:
            parts.append(step.detail or f"{step.done} of {step.total}")
        left = step.left(now)
        if left is not None:
            parts.append(f"{tell_about(left)} left")
        self.say(f"  {', '.join(parts)}")

    def say(self, text: str) -> None:
        """Say on standard error what is worth a word, but no warning."""
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        """Say on standard error what the library warns of, as options; called as `warnings.showwarning` is."""
        if not issubclass(category, OfframpWarning):
            self._others(message, category, *place, **more)
            return
        text = say_options(str(message), getattr(message, "about", ()))
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    @contextmanager
    def heard(self) -> Iterator[Terminal]:
        """Show the library's warnings as long as it takes."""
        with warnings.catch_warnings():
            self._others = warnings.showwarning
            warnings.showwarning = self.warn
            warnings.simplefilter("always", OfframpWarning)
            yield self

    @contextmanager
    def _drawn(self, text: str) -> Iterator[None]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console, transient=True, refresh_per_second=REFRESH) as bar:
            self._bar = bar, bar.add_task(text, total=None)
            try:
                yield
            finally:
                self._bar = None

    @contextmanager
    def _beating(self) -> Iterator[None]:
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self._interval_s):
                self.beat()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
