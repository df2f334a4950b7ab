"""Which exits to keep of many that were trained: those with which a sample costs least at the accepted loss.

Shape letters: P points, N early exits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError
from offramp.measure import (
    Breakdown,
    Costs,
    Evidence,
    FastFrontier,
    OperatingPoint,
    Quality,
    exits_taken,
    frontier,
    operate,
    qualities,
    quality_of,
)

from ._loss import certifiable_loss
from ._target import Target, quality_for

EXACT = 6  # up to so many candidates, every choice is looked at
BEAM = 3  # choices that go on, of each size
VERIFIED = 6  # of the choices that look best, so many get a whole frontier
FINALISTS = 2  # scores whose best choices get a whole frontier
NOISE = 1.0  # standard errors that an exit must save

Choice = tuple[int, ...]
Rank = tuple[float, ...]  # of a point: the lowest wins


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A choice of exits at its best.

    Attributes:
        kept: The candidates that it keeps, counted from 0.
        point: Its best operating point on the tuning samples; `macs` is in the unit of the breakdown.
        loss: The loss at that point, on the tuning samples.
        rank: By how much it misses what must be met, then what is to be small: the lowest is best.
        score: Name of the score that the gates compare.
    """

    kept: tuple[int, ...]
    point: OperatingPoint
    loss: float
    rank: tuple[float, ...]
    score: str

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
        trials: What was drawn in full: first what is to be kept, then the others, the best first; among them nothing
            kept, each candidate alone, and all of them, by the score of the first.
        by_score: By name of each score that came into question, the choice that would be kept with it.
        allowed_loss: On the tuning samples, so that the calibration samples can certify what is promised; None if a
            budget was asked for.
        tried: How many choices were looked at, of all scores together.
    """

    trials: tuple[Trial, ...]
    by_score: Mapping[str, Trial]
    allowed_loss: float | None
    tried: int

    @property
    def best(self) -> Trial:
        """The choice, its point and its cost; others may be cheaper by no more than noise."""
        return self.trials[0]

    @property
    def kept(self) -> tuple[int, ...]:
        """Which of the candidates stay."""
        return self.best.kept

    @property
    def score(self) -> str:
        """Which score the gates compare then."""
        return self.best.score


def placement(  # noqa: PLR0913  # what is asked, and how long to look
    evidence: Evidence,
    breakdown: Breakdown | Mapping[str, Breakdown],
    *,
    score: str | Sequence[str],
    target: Target | None = None,
    budget: float | None = None,
    calibration: int | None = None,
    most: int | None = None,
    beam: int = BEAM,
    noise: float = NOISE,
    always: Sequence[int] = (),
) -> Placement:
    """The exits to keep so that a sample costs least at the accepted loss, every kept head charged.

    Up to six candidates all choices are compared; of more, choices grow from none and shrink from all, of each size
    the best few going on. Those that look best get a whole frontier. The best of these then loses, one after the other,
    every exit without which a sample costs no more, or so little more that it may be chance. Of several scores, those
    two whose choices look best are compared so, and the better one is taken.

    Args:
        evidence: Evidence of the tuning samples, with all candidates; nothing may be proved on them afterwards.
        breakdown: The cost of each part, in multiply-accumulates or seconds; by score if that makes a difference.
        score: Name of the score that the gates compare, or of several of which one will; of equals the first.
        target: What will be promised; 1 % of agreement with 95 % confidence if not given.
        budget: Keep instead the exits that lose least at this share of the network's cost; of the promise only the kind
            then counts.
        calibration: How many samples will prove it: with few of them, fewer may be lost. As many as there are in the
            evidence if not given.
        most: Keep at most so many.
        beam: How many choices of each size go on.
        noise: An exit must save more than so many standard errors of what it saves, sample by sample; within a budget,
            of what it keeps from being lost. 0 keeps whatever saves anything here. Thresholds and exits are chosen on
            the same samples, so the true error is larger.
        always: Candidates that are kept whatever they save, counted from 0.

    Returns:
        The choice of exits, the other choices that were drawn in full, and how many were looked at.

    Raises:
        OptionError: The evidence has another number of exits than the breakdown, or a count or the budget is not
            positive, or the noise negative.
        EvidenceError: No such score, or labels are needed and missing.

    Example:
        >>> from offramp.graph import Gate
        >>> surer = Gate(direction="higher", stop_all=0.0, stop_none=2.0)
        >>> seen = Evidence(ids=np.arange(4), predictions=np.tile([1, 1, 1], (4, 1)), reference=np.ones(4, int),
        ...                 scores={"p": np.tile(np.float32([0.9, 0.9]), (4, 1))}, gates={"p": surer})
        >>> parts = Breakdown(stages=np.array([1.0, 4, 5]), heads=np.ones(2), gate_overheads=np.zeros(2),
        ...                   baseline=10.0, unit="macs")
        >>> found = placement(seen, parts, score="p", calibration=300)
        >>> found.kept, found.best.relative
        ((0,), 0.2)

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet", ICPR 2016, section V, where the number and the places of
        exits are left to the reader; trained together, exits can be compared without being trained again. Breiman et
        al., "Classification and Regression Trees", 1984, section 3.4.3, for one standard error.
    """
    asked = target or Target(kind="agreement")
    kind = asked.kind_with(labels=evidence.labels is not None)
    names = (score,) if isinstance(score, str) else tuple(score)
    parts = {name: breakdown if isinstance(breakdown, Breakdown) else breakdown[name] for name in names}
    count = evidence.exits - 1
    for one in parts.values():
        _check(count, one, budget=budget, most=most, beam=beam, noise=noise)
    allowed = None
    if budget is None:
        samples = len(evidence) if calibration is None else calibration
        allowed = certifiable_loss(samples, kind, max_loss=asked.limit, confidence=asked.confidence)
    largest = count if most is None else min(max(most, len(always)), count)
    searches = []
    for name in names:
        limit = allowed or 0.0 if budget is None else budget * parts[name].baseline
        judge = _Judge(within="loss" if budget is None else "cost", limit=limit)
        search = _Search(evidence, parts[name], name, quality_for(kind), judge, _sorted(*always))
        search.look_around(largest, beam)
        searches.append(search)
    drawn = [search.verify(largest, noise) for search in sorted(searches, key=_Search.best_rank)[:FINALISTS]]
    drawn.sort(key=lambda trials: (trials[0].rank, names.index(trials[0].score)))
    return Placement(
        trials=drawn[0],
        by_score={trials[0].score: trials[0] for trials in drawn},
        allowed_loss=allowed,
        tried=sum(len(search.seen) for search in searches),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """What must be met, and what is to be small then.

    Attributes:
        within: Which of the two has the limit; the other is to be small.
        limit: Of the loss, or of the cost.
    """

    within: Literal["loss", "cost"]
    limit: float

    def find_best(self, loss: NDArray[np.float64], cost: NDArray[np.float64]) -> tuple[int, Rank]:
        """Position and rank of the best point: by how much it misses the limit, then what is to be small."""
        bound, other = (loss, cost) if self.within == "loss" else (cost, loss)
        missed = np.maximum(bound - self.limit - 1e-12 * max(1.0, self.limit), 0.0)
        place = int(np.lexsort([bound, other, missed])[0])
        return place, (float(missed[place]), float(other[place]))


class _Search:
    """Choices of exits by what they are worth: roughly those that were looked at, exactly those that were drawn."""

    def __init__(
        self, evidence: Evidence, breakdown: Breakdown, score: str, quality: Quality, judge: _Judge, always: Choice
    ) -> None:
        self._evidence, self._breakdown, self._score, self._quality = evidence, breakdown, score, quality
        self._judge, self._always = judge, always
        self._fast = FastFrontier(evidence, breakdown, score=score, quality=quality)
        self._all = range(len(breakdown.heads))
        best = 1.0
        if quality == "accuracy":  # of the original network
            best = float(np.mean(evidence.reference == evidence.labels))
        self._best = best
        self.seen: dict[Choice, Rank] = {}
        self._drawn: dict[Choice, Trial] = {}

    def best_rank(self) -> Rank:
        """The rank of the best choice that was looked at."""
        return min(self.seen.values())

    def look_around(self, largest: int, beam: int) -> None:
        """Look at all choices of few candidates, and at what seems good of many."""
        if len(self._all) <= EXACT:
            found = (choice for size in range(largest + 1) for choice in combinations(self._all, size))
            self.look(choice for choice in found if set(self._always) <= set(choice))
        else:
            self.grow(largest, beam)
            self.shrink(largest, beam)

    def look(self, choices: Iterable[Choice]) -> None:
        """Draws the fast frontier of each of these, unless it was drawn already."""
        for kept in choices:
            if kept not in self.seen:
                good, cost = self._fast.draw(kept)
                self.seen[kept] = (*self._judge.find_best(self._best - good, cost)[1], len(kept))

    def grow(self, largest: int, beam: int) -> None:
        """From nothing, one exit more at a time."""
        here: list[Choice] = [self._always]
        self.look(here)
        for _ in range(largest - len(self._always)):
            here = self._step(here, lambda kept: [_sorted(*kept, at) for at in self._all if at not in kept], beam)

    def shrink(self, largest: int, beam: int) -> None:
        """From everything, one exit less at a time; choices that are too large are only passed through."""
        here: list[Choice] = [tuple(self._all)]
        self.look(here)
        while len(here[0]) > len(self._always):
            here = self._step(here, self._one_less, beam)
        for kept in [kept for kept in self.seen if len(kept) > largest]:
            del self.seen[kept]

    def _step(self, here: Sequence[Choice], near: Callable[[Choice], Iterable[Choice]], beam: int) -> list[Choice]:
        """The best few of the neighbors."""
        found = {other for kept in here for other in near(kept)}
        self.look(sorted(found))
        return sorted(found, key=self._order)[:beam]

    def _order(self, kept: Choice) -> tuple[Rank, Choice]:
        return self.seen[kept], kept

    def _one_less(self, kept: Choice) -> list[Choice]:
        """All choices with one exit less."""
        return [kept[:at] + kept[at + 1 :] for at, exit in enumerate(kept) if exit not in self._always]

    def verify(self, largest: int, noise: float) -> tuple[Trial, ...]:
        """Draw the frontiers of those that look best, of none, each alone and all, and say what is to be kept first."""
        usual = [self._always, *(_sorted(*{*self._always, at}) for at in self._all), tuple(self._all)]
        for kept in [*sorted(self.seen, key=self._order)[:VERIFIED], *usual]:
            if len(kept) <= largest:
                self._draw(kept)
        return self._prune(noise)

    def _prune(self, noise: float) -> tuple[Trial, ...]:
        """What was drawn, the best first but for the first: that is the best without the exits that are not needed."""
        trial = min(self._drawn.values(), key=_order_of)
        while found := self._without_one(trial, noise):
            trial = found
        others = [one for one in self._drawn.values() if one is not trial]
        return (trial, *sorted(others, key=_order_of))

    def _without_one(self, trial: Trial, noise: float) -> Trial | None:
        """The choice with one exit less that is worth most, if what it lacks may be chance."""
        fewer = []
        for kept in self._one_less(trial.kept):
            self._draw(kept, trial)
            if self._drawn[kept].rank[0] <= trial.rank[0] and not self._is_worse(self._drawn[kept], trial, noise):
                fewer.append(self._drawn[kept])
        return min(fewer, key=_order_of, default=None)

    def _is_worse(self, trial: Trial, other: Trial, noise: float) -> bool:
        """Whether a choice costs (or loses) so much more than another that it is hardly by chance."""
        more = self._each(trial) - self._each(other)
        return bool(more.mean() > noise * more.std() / np.sqrt(len(more)) + 1e-12)

    def _each(self, trial: Trial) -> NDArray[np.float64]:
        """[S] what each sample costs there, as a share of the network alone; or 1 if its answer is lost."""
        some = self._evidence.keep(trial.kept)
        taken = exits_taken(some, trial.point.thresholds, self._score)
        if self._judge.within == "loss":
            return self._breakdown.costs(trial.kept).relative[taken]
        good = qualities(some, self._quality)[taken, np.arange(len(taken))]
        return np.where(good, 0.0, 1.0)

    def _draw(self, kept: Choice, like: Trial | None = None) -> None:
        """Judge a choice by its frontier, and by the thresholds of one that has an exit more.

        A search may miss what those are worth: without them, an exit that nobody takes might stay.
        """
        if kept in self._drawn and like is None:
            return
        some, costs = self._evidence.keep(kept), self._breakdown.costs(kept)
        points = [self._drawn[kept].point] if kept in self._drawn else self._points(some, costs)
        if like is not None:
            limits = dict(zip(like.kept, like.point.thresholds, strict=True))
            points.append(operate(some, costs, [limits[at] for at in kept], self._score))
        loss = self._best - np.array([quality_of(point, self._quality) for point in points])
        place, rank = self._judge.find_best(loss, np.array([point.macs for point in points]))
        self._drawn[kept] = Trial(kept=kept, point=points[place], loss=float(loss[place]), rank=rank, score=self._score)

    def _points(self, some: Evidence, costs: Costs) -> list[OperatingPoint]:
        """Of the frontier, and the one where nobody leaves early."""
        drawn = frontier(some, costs, score=self._score, quality=self._quality)
        return [drawn.full, *drawn.points]


def _order_of(trial: Trial) -> tuple[Rank, int, Choice]:
    """The best first, of equals the one with fewer exits."""
    return trial.rank, len(trial.kept), trial.kept


def _sorted(*exits: int) -> Choice:
    return tuple(sorted(exits))


def _check(
    count: int, breakdown: Breakdown, *, budget: float | None, most: int | None, beam: int, noise: float
) -> None:
    if count != len(breakdown.heads):
        raise OptionError(
            f"evidence and breakdown must be of the same exits, but are of {count} and {len(breakdown.heads)}. "
            "Take both of one graph."
        )
    wrong = [f"{name}={value}" for name, value in (("most", most), ("beam", beam)) if value is not None and value < 1]
    wrong += [f"budget={budget}"] if budget is not None and not budget > 0 else []
    if not noise >= 0:
        raise OptionError(f"noise must be 0 or more standard errors, but is {noise}. Leave it out.")
    if wrong:
        raise OptionError(f"most, beam and budget must be positive, but {', '.join(wrong)}. Leave them out.")
