"""The frontier: operating points that none found beats, safest first.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples, P points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offramp.graph import Gate

from ._costs import Costs
from ._evidence import Evidence, Ids
from ._levels import Levels, as_thresholds, find_levels, split_levels
from ._operating import OperatingPoint, Outcomes, qualities, score_of
from ._pareto_set import ParetoSet, front, no_candidates, spread, unbeaten
from ._search import FEW, search
from ._shared import sweep_shared
from ._threshold_grid import is_whole, threshold_grid

Quality = Literal["agreement", "accuracy", "harm"]
# [S, N] scores, their gate, [E, S] whether each answer is good, [E] costs -> levels, and the candidates among them.
Method = Callable[
    [NDArray[np.float32], Gate, NDArray[np.bool_], NDArray[np.float64]], tuple[tuple[Levels, ...], ParetoSet]
]
FINE = 2048  # levels per exit in the search: 25 samples each at 50,000
LONGEST = 400  # points of a searched frontier of more than GRID_EXITS exits
LONGEST_SHARED = 2048  # points of an exact frontier: only above 2,000 samples can there be more
APPROACH = 24  # 8 to 32 serve alike; none at all makes most proofs on fewer than 1,000 samples fail
STARTS = 48  # points of the shared frontier from which the search starts
COARSEST = 6  # above so many exits, a grid has too few levels of each to be worth it
GRID_EXITS = 3  # up to so many exits, a grid with the published grid takes part and no point is left out


@dataclass(frozen=True, kw_only=True, eq=False)
class Frontier:
    """Operating points of which none is both cheaper and better than another.

    Attributes:
        points: Safest first: each next one costs less and is worth less.
        score: Name of the score that the gates compare.
        gate: The direction and the extremes of the score.
        quality: What was traded for cost: "agreement", "accuracy", or "harm".
        approach: Points from nearly `full` to the first of `points`, stricter than that at every exit. They cost more
            without being worth more on these samples, but the first of `points` is the luckiest of many: on other
            samples it is worse than it looks, and a proof needs somewhere safer to start.
        full: The point at which nobody leaves early.
        costs: The cost of a sample by exit.
        ids: The ids of the samples on which the frontier was drawn; nothing may be proved on them.
    """

    points: tuple[OperatingPoint, ...]
    score: str
    gate: Gate
    quality: Quality
    approach: tuple[OperatingPoint, ...]
    full: OperatingPoint
    costs: Costs = field(repr=False)
    ids: Ids = field(repr=False)

    @property
    def macs(self) -> NDArray[np.float64]:
        """[P] mean multiply-accumulates of the points."""
        return np.array([point.macs for point in self.points])

    @property
    def qualities(self) -> NDArray[np.float64]:
        """[P] the quality of the points; 1 - harm if that was traded."""
        return np.array([quality_of(point, self.quality) for point in self.points])

    @property
    def losses(self) -> NDArray[np.float64]:
        """[P] share of answers that the points lose: changed or harmed ones, or accuracy, negative where they gain."""
        best = quality_of(self.full, self.quality) if self.quality == "accuracy" else 1.0
        return best - self.qualities


def quality_of(point: OperatingPoint, quality: Quality) -> float:
    """How good a point is: higher is better.

    Args:
        point: A point that was measured with labels, unless only agreement is asked for.
        quality: "agreement", "accuracy", or "harm".

    Returns:
        The agreement, the accuracy, or 1 - harm.
    """
    if quality == "agreement":
        return point.agreement
    value = point.accuracy if quality == "accuracy" else point.harm
    assert value is not None, "Outcomes judged the same evidence by labels"
    return value if quality == "accuracy" else 1 - value


def frontier(
    evidence: Evidence, costs: Costs, *, score: str, shared: bool = False, quality: Quality = "agreement"
) -> Frontier:
    """The operating points that trade quality for cost best on these samples.

    With one shared threshold it is exact. With one threshold per exit it is found by coordinate ascent over a range
    of Lagrange multipliers and a walk along the front; up to three exits no point of BranchyNet's grid beats it.

    Args:
        evidence: Evidence of the tuning samples: nothing may be proved on them afterwards.
        costs: The cost of a sample by exit.
        score: Name of the score that the gates compare.
        shared: Use the same threshold at every exit.
        quality: What to keep: "agreement" with the original network, "accuracy", or no "harm" (both need labels).

    Returns:
        The points that none found beats, safest first.

    Raises:
        EvidenceError: No such score, no labels, or another number of exits than the costs.
        OptionError: No such quality.

    Example:
        >>> gate = Gate(direction="higher", stop_all=0.0, stop_none=2.0)
        >>> seen = Evidence(ids=np.arange(2), predictions=np.array([[1, 1], [0, 1]]), reference=np.array([1, 1]),
        ...                 scores={"p": np.array([[0.875], [0.625]], np.float32)}, gates={"p": gate})
        >>> drawn = frontier(seen, Costs(per_exit=np.array([1.0, 4.0]), baseline=4.0, unit="macs"), score="p")
        >>> [(point.thresholds, point.agreement, point.macs) for point in drawn.points]
        [((0.75,), 1.0, 2.5), ((0.0,), 0.5, 1.0)]

    Reference:
        Shoham and Gersho, "Efficient bit allocation for an arbitrary set of quantizers", IEEE TASSP 1988, section II:
        one multiplier turns the constrained problem into a free one; we climb by coordinates and fill the hollows.
    """
    return draw_by(
        _shared if shared or evidence.exits < 3 else _separate, evidence, costs, score=score, quality=quality
    )


def draw_by(method: Method, evidence: Evidence, costs: Costs, *, score: str, quality: Quality) -> Frontier:
    """What a method found, measured exactly and without the points that others beat; the rest as for `frontier`."""
    outcomes = Outcomes(evidence, costs, score)
    values, gate = score_of(evidence, score)
    good = qualities(evidence, quality)
    levels, best = (method if values.shape[1] else _final_alone)(values, gate, good, costs.per_exit)
    points = [outcomes.point(as_thresholds(levels, one)) for one in best.levels]
    kept = front(np.array([quality_of(one, quality) for one in points]), np.array([one.macs for one in points]))
    nobody = np.full(values.shape[1], gate.stop_none, np.float32)
    return Frontier(
        points=tuple(points[place] for place in kept),
        score=score,
        gate=gate,
        quality=quality,
        approach=tuple(outcomes.point(as_thresholds(levels, one)) for one in _stricter(levels, best.levels[kept[0]])),
        full=outcomes.point(nobody),
        costs=costs,
        ids=evidence.ids,
    )


def _final_alone(
    values: NDArray[np.float32], gate: Gate, good: NDArray[np.bool_], costs: NDArray[np.float64]
) -> tuple[tuple[Levels, ...], ParetoSet]:
    """The one candidate there is without early exits."""
    only = np.zeros((1, 0), np.int32)
    return (), ParetoSet(levels=only, quality=good.sum(axis=1).astype(np.float64), cost=costs)


def _shared(
    values: NDArray[np.float32], gate: Gate, good: NDArray[np.bool_], costs: NDArray[np.float64]
) -> tuple[tuple[Levels, ...], ParetoSet]:
    """The exact front of one shared threshold."""
    levels = split_levels(find_levels(values.T.ravel(), gate), values.shape[1])
    best = unbeaten(sweep_shared(levels, good, costs))
    return levels, best.take(spread(best, LONGEST_SHARED))


def _stricter(levels: tuple[Levels, ...], chosen: NDArray[np.int32]) -> NDArray[np.int64]:
    """[APPROACH, N] levels at which 1/25, 2/25, ... of those that stop at each chosen level still do."""
    stopping = [np.sort(one.ranks[one.ranks < level]) for one, level in zip(levels, chosen, strict=True)]
    shares = np.arange(1, APPROACH + 1) / (APPROACH + 1)
    columns = [ranks[(shares * len(ranks)).astype(int)] if len(ranks) else np.zeros(APPROACH) for ranks in stopping]
    return np.stack([*columns, np.zeros(APPROACH)], axis=1)[:, :-1].astype(np.int64)


def _separate(
    values: NDArray[np.float32], gate: Gate, good: NDArray[np.bool_], costs: NDArray[np.float64]
) -> tuple[tuple[Levels, ...], ParetoSet]:
    """The front of one threshold per exit: whole if it is small, else searched from coarse and shared starts."""
    some = slice(None, None, -(-len(values) // FEW))
    alike, start = _shared(values[some], gate, good[:, some], costs)
    asked = alike[0].thresholds[start.levels[spread(start, STARTS), 0]]
    levels = tuple(find_levels(column, gate, most=FINE, asked=asked) for column in values.T)
    whole = is_whole(levels)
    known = threshold_grid(levels, good, costs) if whole or len(levels) <= COARSEST else no_candidates(len(levels))
    if whole:
        return levels, unbeaten(known)
    starts = np.stack([one.asked for one in levels], axis=1).astype(np.int32)
    best = search(levels, good, costs, known, starts)
    return levels, best.take(spread(best, LONGEST)) if len(levels) > GRID_EXITS else best
