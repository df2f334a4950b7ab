"""One threshold per exit: coordinate ascent, and a walk along the front that it found.

Who is left at an exit depends on all earlier thresholds, so the exact front is combinatorial. But with all other
thresholds held, every level of one exit is judged exactly by one histogram of the samples that reach it.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples, L levels of an exit, A anchors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._levels import Levels
from ._pareto_set import ParetoSet, join, no_candidates, spread, unbeaten

MULTIPLIERS = 24
CLIMB = 6  # sweeps per multiplier; most climbs end after three
ANCHORS = 64
FEW = 6_000  # samples on which it climbs
PICKS = 160  # points of that front to be judged on all samples
LEAST_STEPS, MOST_STEPS = 30, 600
WORK = 1.2e7  # samples x exits looked at, between the two


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Reached:
    """The samples that come to an exit with their ranks there, and what those that left before sum up to."""

    here: NDArray[np.intp]
    ranks: NDArray[np.signedinteger[Any]]  # Any: int32, which numpy's stubs forget
    settled: float
    spent: float


class CoordinateSearch:
    """What each level of each exit is worth, given the others; it counts down the sweeps that it may make."""

    def __init__(self, levels: tuple[Levels, ...], good: NDArray[np.bool_], costs: NDArray[np.float64]) -> None:
        self._ranks = [one.ranks for one in levels]
        self._good = good
        self._costs = costs
        self.tops = np.array([one.top for one in levels], np.int32)
        self.samples = good.shape[1]
        self.steps_left = int(min(MOST_STEPS, max(LEAST_STEPS, WORK / (self.samples * len(levels)))))
        self.found: list[ParetoSet] = []
        self._steps, self._best_at = np.zeros(0), np.full(1, -np.inf)  # the best quality up to each cost

    def sweep(self, chosen: NDArray[np.int32], multiplier: float | None) -> NDArray[np.int32]:
        """Judges all levels of each exit in turn, the last exit first, and keeps the front of each.

        Args:
            chosen: [N] one level per exit.
            multiplier: How many good answers one unit of cost is worth; None looks around and stays.

        Returns:
            The levels with the best quality - multiplier x cost, each exit in its turn.
        """
        self.steps_left -= 1
        chosen = chosen.copy()
        reach = self._reach(chosen)
        good, cost = self._good[-1].copy(), np.full(self.samples, self._costs[-1])
        for place in range(len(chosen) - 1, -1, -1):
            quality, spending = self._judge_exit(place, reach[place], good, cost)
            self._record(chosen, place, quality, spending)
            if multiplier is not None:
                chosen[place] = np.argmax(quality - multiplier * spending)
            stops = self._ranks[place] < chosen[place]
            np.copyto(good, self._good[place], where=stops)
            np.copyto(cost, self._costs[place], where=stops)
        return chosen

    def _judge_exit(
        self, place: int, reached: _Reached, good: NDArray[np.bool_], cost: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Total quality and cost at each level of one exit, if those who go on end as `good` and `cost` say."""
        here, ranks, bins = reached.here, reached.ranks, self.tops[place] + 1
        mine, later, fee = self._good[place][here], good[here], cost[here]
        better, worse = ranks[mine & ~later], ranks[later & ~mine]  # few: the others change nothing
        gained = np.bincount(better, minlength=bins) - np.bincount(worse, minlength=bins)
        spent = np.bincount(ranks, self._costs[place] - fee, bins)
        return (
            _running(gained, reached.settled + np.count_nonzero(later)),
            _running(spent, reached.spent + float(fee.sum())),
        )

    def judge(self, chosen: NDArray[np.int32]) -> ParetoSet:
        """What each of these vectors of levels is worth."""
        quality, cost = np.zeros(len(chosen)), np.zeros(len(chosen))
        for row, levels in enumerate(chosen):
            going = np.ones(self.samples, np.bool_)
            for place, level in enumerate(levels):
                leaving = going & (self._ranks[place] < level)
                quality[row] += np.count_nonzero(leaving & self._good[place])
                cost[row] += np.count_nonzero(leaving) * self._costs[place]
                going &= ~leaving
            quality[row] += np.count_nonzero(going & self._good[-1])
            cost[row] += np.count_nonzero(going) * self._costs[-1]
        return ParetoSet(levels=chosen, quality=quality, cost=cost / self.samples)

    def _reach(self, chosen: NDArray[np.int32]) -> list[_Reached]:
        """Who comes to each exit."""
        here, settled, spent = np.arange(self.samples), 0.0, 0.0
        reach = []
        for place, level in enumerate(chosen):
            ranks = self._ranks[place][here]
            reach.append(_Reached(here=here, ranks=ranks, settled=settled, spent=spent))
            stops = ranks < level
            left = here[stops]
            settled += np.count_nonzero(self._good[place][left])
            spent += float(len(left) * self._costs[place])
            here = here[~stops]
        return reach

    def _record(
        self, chosen: NDArray[np.int32], place: int, quality: NDArray[np.float64], spending: NDArray[np.float64]
    ) -> None:
        """Stores the levels of this exit that nothing known beats; a higher level never costs more than a lower."""
        higher = np.maximum.accumulate(quality[::-1])[::-1]
        kept = np.flatnonzero(np.append(quality[:-1] > higher[1:], True))
        cost = spending[kept] / self.samples
        fresh = quality[kept] > self._best_at[np.searchsorted(self._steps, cost, side="right")]
        kept = kept[fresh]
        levels = np.repeat(chosen[None], len(kept), axis=0)
        levels[:, place] = kept
        self.found.append(ParetoSet(levels=levels, quality=quality[kept], cost=cost[fresh]))

    def front(self, candidates: ParetoSet) -> ParetoSet:
        """The front of some candidates and of all that was found since the last call."""
        best = unbeaten(join(candidates, *self.found))
        self.found.clear()
        self._steps, self._best_at = best.cost[::-1], np.concatenate([[-np.inf], best.quality[::-1]])
        return best


def search(
    levels: tuple[Levels, ...],
    good: NDArray[np.bool_],
    costs: NDArray[np.float64],
    known: ParetoSet,
    starts: NDArray[np.int32],
) -> ParetoSet:
    """The front of all candidates met by coordinate ascent over a range of multipliers, and by walking along the front.

    Of many samples it climbs on every n-th, and walks on all from what that found.

    Args:
        levels: The levels of each early exit.
        good: [E, S] whether the answer of each exit is good.
        costs: [E] the cost of a sample by exit.
        known: Candidates that were judged already.
        starts: Levels worth starting from, such as one threshold shared by all exits.

    Returns:
        The front of all candidates that were met, safest first.
    """
    searcher = CoordinateSearch(levels, good, costs)
    if searcher.samples <= FEW:
        begin = searcher.front(join(known, searcher.judge(starts)))
        _ascend(searcher, begin, np.geomspace(0.3, 3 * searcher.samples, MULTIPLIERS) / (searcher.samples * costs[-1]))
        return _walk(searcher, searcher.front(begin))
    some = slice(None, None, -(-searcher.samples // FEW))
    fewer = tuple(replace(one, ranks=one.ranks[some]) for one in levels)
    rough = search(fewer, good[:, some], costs, no_candidates(len(levels)), starts)
    picked = rough.levels[spread(rough, PICKS)]
    return _walk(searcher, searcher.front(join(known, searcher.judge(np.concatenate([starts, picked])))))


def _ascend(searcher: CoordinateSearch, starts: ParetoSet, multipliers: NDArray[np.float64]) -> None:
    """Coordinate ascent for each multiplier, from its neighbor's answer (both ways) and the best start."""
    for order, warm in ((multipliers, np.zeros_like(searcher.tops)), (multipliers[::-1], searcher.tops)):
        for multiplier in order:
            best = starts.levels[np.argmax(starts.quality - multiplier * starts.cost * searcher.samples)]
            warm = _climb(searcher, warm, multiplier)
            _climb(searcher, best, multiplier)


def _climb(searcher: CoordinateSearch, chosen: NDArray[np.int32], multiplier: float) -> NDArray[np.int32]:
    """Sweeps until nothing changes."""
    for _ in range(CLIMB):
        if searcher.steps_left <= 0:
            break
        before, chosen = chosen, searcher.sweep(chosen, multiplier)
        if np.array_equal(before, chosen):
            break
    return chosen


def _walk(searcher: CoordinateSearch, best: ParetoSet) -> ParetoSet:
    """Looks around the points of the front, and on from what that adds, until it adds nothing or the work is spent.

    A multiplier finds only the convex hull; this fills the hollows between its points.
    """
    seen: set[bytes] = set()
    while searcher.steps_left > 0:
        fresh = [place for place, levels in enumerate(best.levels) if levels.tobytes() not in seen]
        if not fresh:
            break
        for place in np.array(fresh)[spread(best.take(np.array(fresh)), min(ANCHORS, -(-searcher.steps_left // 2)))]:
            seen.add(best.levels[place].tobytes())
            searcher.sweep(best.levels[place], None)
            searcher.sweep(best.levels[place], _slope(best, place, searcher.samples))
        best = searcher.front(best)
    return best


def _slope(best: ParetoSet, place: int, samples: int) -> float:
    """How many good answers one unit of cost is worth around a point of the front."""
    low, high = max(0, place - 1), min(len(best) - 1, place + 1)
    saved = (best.cost[low] - best.cost[high]) * samples
    return float((best.quality[low] - best.quality[high]) / saved) if saved > 0 else 0.0


def _running(steps: NDArray[np.float64] | NDArray[np.int64], start: float) -> NDArray[np.float64]:
    """What each level sums up to: level l stops all ranks below l."""
    return np.concatenate([[start], start + np.cumsum(steps[:-1])])
