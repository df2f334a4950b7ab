"""What a person sees while a command runs: steps and how far they are, warnings; never on standard output.

On a terminal each step has a bar. Elsewhere, as in a log, a long step has a line now and then, and in a long command
each step has one when it starts and one when it is done; short commands are silent there, for who runs them hourly.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from offramp.errors import OfframpWarning
from offramp.run import legible

Part = TypeVar("Part", bound=Sized)
INTERVAL_S = 30.0  # between two lines of one step
REFRESH = 2  # times a second; more would disturb what is timed


@dataclass(slots=True)
class _Step:
    """What is being done.

    Attributes:
        text: What it is.
        start: When it began.
        done: How much of `total` is done.
        total: Of what is to be done; 0 if that is not known.
        detail: Where it is.
        first: When, and at how much done, somebody first said how far it is.
    """

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


class Screen:
    """Where progress goes.

    Args:
        quiet: True shows no progress, as with --json; warnings stay.
        log: Whether each step has its lines where there is no terminal.
        interval_s: Between two lines of one step where there is no terminal.
        clock: Seconds that go by.
        words: Says a sentence that names arguments in other words; None leaves it as it is.
    """

    def __init__(
        self, *, quiet: bool = False, log: bool = False, interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic, words: Callable[[str, Sequence[str]], str] | None = None,
    ) -> None:  # fmt: skip
        self._words = words or (lambda text, about: text)
        self._console = Console(stderr=True, highlight=False)
        self._interval_s, self._clock = interval_s, clock
        self.lively = self._console.is_terminal and not quiet
        self._plain = not self._console.is_terminal and not quiet
        self._log = log and self._plain
        self._steps: list[_Step] = []  # the innermost last
        self._bar: tuple[Progress, TaskID] | None = None
        self.warnings: list[str] = []

    @property
    def shows(self) -> bool:
        """Whether progress is shown at all."""
        return self.lively or self._log

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say what is being done, and how long it took."""
        start = self._clock()
        if self.lively:
            self._console.print(f"[dim]·[/] {text}", soft_wrap=True)
        elif self._log:
            self.say(f"· {text}")
        with self._shown(text), self._hearing():
            yield
        taken = self._clock() - start
        if self.lively and taken >= 1:
            self._console.print(f"[dim]  {taken:.0f} s[/]")
        elif self._log:
            self.say(f"  done in {tell_seconds(taken)}")

    def progress(self, parts: Iterable[Part], total: int, text: str) -> Iterator[Part]:
        """Give the parts as they come, and show how much of the total their lengths have made."""
        done = 0
        with self._shown(text):
            self.watch(0, total, "")
            for part in parts:
                yield part
                done += len(part)
                self.watch(done, total, "")

    def watch(self, done: int, total: int, detail: str) -> None:
        """Take note of how far the step is; cheap, so that it may be called often.

        Args:
            done: How much.
            total: Of how much.
            detail: Where it is, such as "epoch 3/8"; may be empty.
        """
        if not self._steps:
            return
        step = self._steps[-1]
        step.done, step.total, step.detail = done, total, detail
        step.first = step.first or (self._clock(), done)
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=done, total=total, description=detail or step.text)

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

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        """Take the library's own warnings, each once, and leave those of others alone."""
        with warnings.catch_warnings():
            others = warnings.showwarning

            def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
                if not issubclass(category, OfframpWarning):
                    others(message, category, *place, **more)
                elif str(message) not in self.warnings:
                    self.warn(str(message), about=getattr(message, "about", ()))

            warnings.showwarning = show
            warnings.simplefilter("always", OfframpWarning)
            yield

    def warn(self, text: str, *, about: Sequence[str] = ()) -> None:
        """Say on standard error what the user should know, and remember it for the result."""
        text = legible(text)
        self.warnings.append(text)
        self._console.print(f"warning: {self._words(text, about)}", style="yellow", markup=False, soft_wrap=True)

    @contextmanager
    def _shown(self, text: str) -> Iterator[None]:
        """A bar, or lines, as long as it takes."""
        self._steps.append(_Step(text, self._clock()))
        try:
            if self.lively and self._bar is None:
                with self._drawn(text):
                    yield
            elif self._plain and len(self._steps) == 1:
                with self._beating():
                    yield
            else:
                yield
        finally:
            self._steps.pop()

    @contextmanager
    def _drawn(self, text: str) -> Iterator[None]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True, refresh_per_second=REFRESH) as bar:
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


def tell_seconds(seconds: float) -> str:
    """A duration as people say it.

    Example:
        >>> tell_seconds(0.31), tell_seconds(42.4), tell_seconds(200), tell_seconds(9000)
        ('0.3 s', '42 s', '3 min 20 s', '2 h 30 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def tell_about(seconds: float) -> str:
    """A duration that is only estimated.

    Example:
        >>> tell_about(4), tell_about(50), tell_about(700), tell_about(7400)
        ('a few seconds', 'about 50 seconds', 'about 12 minutes', 'about 2.1 hours')
    """
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {10 * round(seconds / 10)} seconds"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
