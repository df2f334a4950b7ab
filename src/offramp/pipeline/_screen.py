"""The steps of a command, as they are told to whoever listens, and the warnings that go into the record."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

from offramp.errors import OfframpWarning
from offramp.run import legible

from ._progress import Listener, Progress, State

Part = TypeVar("Part", bound=Sized)


class Screen:
    """Tells a listener how far a command is, and takes note of what was warned of.

    Warnings are those of Python, `OfframpWarning`, and each is given once.

    Args:
        listener: Is told of every step; None tells nobody.
        clock: Gives seconds that go by.

    Attributes:
        warnings: What was warned of, in order.
    """

    def __init__(self, listener: Listener | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._listener, self._clock = listener, clock
        self._steps: list[tuple[str, float]] = []  # what is done and since when; the innermost last
        self._hears = False
        self.warnings: list[str] = []

    @property
    def shows(self) -> bool:
        """Whether anybody listens who shows it."""
        return self._listener is not None and bool(getattr(self._listener, "shows", True))

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Tell what is being done, and when it is over; what the library warns of meanwhile is noted."""
        with self._shown(text, is_titled=True), self._hearing():
            yield

    @contextmanager
    def _shown(self, text: str, *, is_titled: bool) -> Iterator[None]:
        depth = len(self._steps)
        self._steps.append((text, self._clock()))
        state: State = "stopped"
        try:
            self._tell("begun", is_titled=is_titled)
            yield
            state = "done"
        finally:
            while len(self._steps) > depth + 1:  # parts that nobody asked for to the end, since something failed
                self._tell("stopped", is_titled=False)
                self._steps.pop()
            if len(self._steps) > depth:
                self._tell(state, is_titled=is_titled)
                self._steps.pop()

    def progress(self, parts: Iterable[Part], total: int, text: str) -> Iterator[Part]:
        """Give the parts as they come, and tell how much of the total their lengths have made."""
        done = 0
        with self._shown(text, is_titled=False):  # no more than that: it may be left before its end, and closed late
            self.watch(0, total, "")
            for part in parts:
                yield part
                done += len(part)
                self.watch(done, total, "")

    def watch(self, done: int, total: int, detail: str) -> None:
        """Tell how far the step is; cheap, so that it may be called often.

        Args:
            done: How much is done.
            total: How much there is to do.
            detail: Where the step is, such as "epoch 3/8"; may be empty.
        """
        if self._steps:
            self._tell("going", done=done, total=total, detail=detail)

    def say(self, text: str) -> None:
        """Tell what is worth a word, but no warning."""
        if self._listener is not None:
            self._listener(Progress(step=text, state="said"))

    def warn(self, text: str, *, about: Sequence[str] = ()) -> None:
        """Warn of what the user should know, and remember it for the record.

        Args:
            text: A sentence.
            about: The arguments that it names, as for `errors.OfframpError`.
        """
        with self._hearing():
            warnings.warn(OfframpWarning(legible(text), about=about), stacklevel=3)

    def _tell(self, state: State, *, done: int = 0, total: int = 0, detail: str = "", is_titled: bool = True) -> None:
        if self._listener is not None:
            text, start = self._steps[-1]
            self._listener(
                Progress(
                    step=text, state=state, done=done, total=total, detail=detail, seconds=self._clock() - start,
                    is_titled=is_titled,
                )
            )  # fmt: skip

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        """Note the library's own warnings, each once, before they go where warnings go; leave those of others alone."""
        if self._hears:  # a step within a step
            yield
            return
        with warnings.catch_warnings():
            others = warnings.showwarning

            def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
                if not issubclass(category, OfframpWarning):
                    others(message, category, *place, **more)
                elif str(message) not in self.warnings:
                    self.warnings.append(str(message))
                    others(message, category, *place, **more)

            warnings.showwarning = show
            warnings.simplefilter("always", OfframpWarning)
            self._hears = True
            try:
                yield
            finally:
                self._hears = False
