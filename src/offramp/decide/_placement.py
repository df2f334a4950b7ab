"""Which exits to keep of many that were trained: those with which a sample costs least at the accepted loss.

Shape letters: P points, N early exits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError
from offramp.measure import Breakdown, Evidence, Frontier, OperatingPoint, Quality, Sketch, frontier, quality_of

from ._loss import certifiable_loss
from ._promise import Promise, quality_for

EXACT = 6  # up to so many candidates, every choice is looked at
BEAM = 3  # choices that go on, of each size
VERIFIED = 6  # of the choices that look best, so many get a whole frontier

Choice = tuple[int, ...]
Rank = tuple[float, ...]  # of a point; the lowest wins
Judge = Callable[[NDArray[np.float64], NDArray[np.float64]], list[NDArray[np.float64]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A choice of exits at its best.

    Attributes:
        kept: Which of the candidates, counted from 0.
        point: Its best operating point on the tuning samples; `macs` is in the unit of the breakdown.
        loss: What is lost there.
    """

    kept: tuple[int, ...]
    point: OperatingPoint
    loss: float

    @property
    def cost(self) -> float:
        """Expected cost of a sample, in the unit of the breakdown."""
        return self.point.macs

    @property
    def relative(self) -> float:
        """The same as a share of the network alone."""
        return self.point.relative_macs


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which exits to keep.

    Attributes:
        trials: What was drawn in full, the best first: among them nothing kept, each candidate alone, and all of them.
        allowed_loss: On the tuning samples, so that the calibration samples can certify what is promised; None if a
            budget was asked for.
        tried: How many choices were looked at.
    """

    trials: tuple[Trial, ...]
    allowed_loss: float | None
    tried: int

    @property
    def best(self) -> Trial:
        """The choice, its point and its cost."""
        return self.trials[0]

    @property
    def kept(self) -> tuple[int, ...]:
        """Which of the candidates stay."""
        return self.best.kept


def placement(  # noqa: PLR0913  # what is asked, and how long to look
    evidence: Evidence,
    breakdown: Breakdown,
    *,
    score: str,
    promise: Promise | None = None,
    budget: float | None = None,
    calibration: int | None = None,
    most: int | None = None,
    beam: int = BEAM,
) -> Placement:
    """The exits to keep so that a sample costs least at the accepted loss, every kept head charged.

    Up to six candidates all choices are compared; of more, choices grow from none and shrink from all, of each size
    the best few going on. Those that look best get a whole frontier, and lose every exit that they can do without.

    Args:
        evidence: Of the tuning samples, with all candidates; nothing may be proved on them afterwards.
        breakdown: What each part costs, in multiply-accumulates or seconds.
        score: Name of the score that the gates compare.
        promise: What will be promised; 1 % of agreement with 95 % confidence if not given.
        budget: Keep instead the exits that lose least at this share of the network's cost; of the promise only the
            kind then counts.
        calibration: How many samples will prove it: with few of them, fewer may be lost. As many as there are in the
            evidence if not given.
        most: Keep at most so many.
        beam: How many choices of each size go on.

    Raises:
        OptionError: The evidence has another number of exits than the breakdown, or a count or the budget is not
            positive.
        EvidenceError: No such score, or labels are needed and missing.

    Example:
        >>> from offramp.graph import Gate
        >>> surer = Gate(direction="higher", stop_all=0.0, stop_none=2.0)
        >>> seen = Evidence(ids=np.arange(4), predictions=np.tile([1, 1, 1], (4, 1)), reference=np.ones(4, int),
        ...                 scores={"p": np.tile(np.float32([0.9, 0.9]), (4, 1))}, gates={"p": surer})
        >>> parts = Breakdown(stages=np.array([1.0, 4, 5]), heads=np.ones(2), borders=np.zeros(2), baseline=10.0)
        >>> found = placement(seen, parts, score="p", calibration=300)
        >>> found.kept, found.best.relative
        ((0,), 0.2)

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet", ICPR 2016, section V, where the number and the places of
        exits are left to the reader; trained together, exits can be compared without being trained again.
    """
    asked = promise or Promise()
    count = evidence.exits - 1
    _check(count, breakdown, budget=budget, most=most, beam=beam)
    allowed = None
    if budget is None:
        samples = len(evidence) if calibration is None else calibration
        allowed = certifiable_loss(samples, asked.kind, max_loss=asked.max_loss, confidence=asked.confidence)
    quality = quality_for(asked.kind)
    judge = _judge_budget(budget * breakdown.baseline) if budget is not None else _judge_loss(allowed or 0.0)
    search = _Search(evidence, breakdown, score, quality, judge)
    largest = count if most is None else min(most, count)
    if count <= EXACT:
        search.look(choice for size in range(largest + 1) for choice in combinations(range(count), size))
    else:
        search.grow(largest, beam)
        search.shrink(largest, beam)
    return Placement(trials=search.verify(largest), allowed_loss=allowed, tried=len(search.seen))


class _Search:
    """Choices of exits by what they are worth: roughly those that were looked at, exactly those that were drawn."""

    def __init__(self, evidence: Evidence, breakdown: Breakdown, score: str, quality: Quality, judge: Judge) -> None:
        self._evidence, self._breakdown, self._score, self._quality = evidence, breakdown, score, quality
        self._judge = judge
        self._sketch = Sketch(evidence, breakdown, score=score, quality=quality)
        self._all = range(len(breakdown.heads))
        best = 1.0
        if quality == "accuracy":  # of the original network
            best = float(np.mean(evidence.reference == evidence.labels))
        self._best = best
        self.seen: dict[Choice, Rank] = {}
        self._drawn: dict[Choice, tuple[Rank, Trial]] = {}

    def look(self, choices: Iterable[Choice]) -> None:
        """Sketch these."""
        for kept in choices:
            if kept not in self.seen:
                good, cost = self._sketch.draw(kept)
                self.seen[kept] = (*_find_best(self._judge, self._best - good, cost)[1], len(kept))

    def grow(self, largest: int, beam: int) -> None:
        """From nothing, one exit more at a time."""
        here: list[Choice] = [()]
        self.look(here)
        for _ in range(largest):
            here = self._step(here, lambda kept: [_sorted(*kept, at) for at in self._all if at not in kept], beam)

    def shrink(self, largest: int, beam: int) -> None:
        """From everything, one exit less at a time; choices that are too large are only passed through."""
        here: list[Choice] = [tuple(self._all)]
        self.look(here)
        while here[0]:
            here = self._step(here, _one_less, beam)
        for kept in [kept for kept in self.seen if len(kept) > largest]:
            del self.seen[kept]

    def _step(self, here: Sequence[Choice], near: Callable[[Choice], Iterable[Choice]], beam: int) -> list[Choice]:
        """The best few of the neighbors."""
        found = {other for kept in here for other in near(kept)}
        self.look(sorted(found))
        return sorted(found, key=self._order)[:beam]

    def _order(self, kept: Choice) -> tuple[Rank, Choice]:
        return self.seen[kept], kept

    def verify(self, largest: int) -> tuple[Trial, ...]:
        """Draws the frontiers of those that look best, of none, each alone and all, and drops what is not needed."""
        usual = [(), *((at,) for at in self._all), tuple(self._all)]
        for kept in [*sorted(self.seen, key=self._order)[:VERIFIED], *usual]:
            if len(kept) <= largest:
                self._draw(kept)
        best = self._leader()
        while True:
            for kept in _one_less(best):
                self._draw(kept)
            if (after := self._leader()) == best:
                break
            best = after
        return tuple(trial for _, trial in sorted(self._drawn.values(), key=lambda one: (one[0], one[1].kept)))

    def _leader(self) -> Choice:
        return min(self._drawn, key=lambda kept: (self._drawn[kept][0], kept))

    def _draw(self, kept: Choice) -> None:
        """Judge a choice by its frontier."""
        if kept in self._drawn:
            return
        some = self._evidence.keep(kept)
        drawn = frontier(some, self._breakdown.costs(kept), score=self._score, quality=self._quality)
        points = _points(drawn)
        loss = self._best - np.array([quality_of(point, self._quality) for point in points])
        place, rank = _find_best(self._judge, loss, np.array([point.macs for point in points]))
        trial = Trial(kept=kept, point=points[place], loss=float(loss[place]))
        self._drawn[kept] = ((*rank, len(kept)), trial)


def _points(drawn: Frontier) -> tuple[OperatingPoint, ...]:
    """Its points, of which the one where nobody leaves early is always one."""
    return (drawn.full, *drawn.points)


def _judge_loss(allowed: float) -> Judge:
    """First lose no more than allowed, then cost least."""
    return lambda loss, cost: [np.maximum(loss - allowed - 1e-12, 0.0), cost, loss]


def _judge_budget(limit: float) -> Judge:
    """First cost no more than the limit, then lose least."""
    return lambda loss, cost: [np.maximum(cost - limit * (1 + 1e-12), 0.0), loss, cost]


def _find_best(judge: Judge, loss: NDArray[np.float64], cost: NDArray[np.float64]) -> tuple[int, Rank]:
    """Position and rank of the best point."""
    columns = judge(loss, cost)
    place = int(np.lexsort(columns[::-1])[0])
    return place, tuple(float(column[place]) for column in columns[:2])


def _one_less(kept: Choice) -> list[Choice]:
    return [kept[:at] + kept[at + 1 :] for at in range(len(kept))]


def _sorted(*exits: int) -> Choice:
    return tuple(sorted(exits))


def _check(count: int, breakdown: Breakdown, *, budget: float | None, most: int | None, beam: int) -> None:
    if count != len(breakdown.heads):
        raise OptionError(
            f"evidence and breakdown must be of the same exits, but are of {count} and {len(breakdown.heads)}. "
            "Take both of one graph."
        )
    wrong = [f"{name}={value}" for name, value in (("most", most), ("beam", beam)) if value is not None and value < 1]
    wrong += [f"budget={budget}"] if budget is not None and not budget > 0 else []
    if wrong:
        raise OptionError(f"most, beam and budget must be positive, but {', '.join(wrong)}. Leave them out.")
