"""One threshold for all exits: every distinct operating point, exactly, by one sort.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._levels import Levels
from ._pareto_set import ParetoSet


def sweep_shared(levels: tuple[Levels, ...], good: NDArray[np.bool_], costs: NDArray[np.float64]) -> ParetoSet:
    """All levels of one shared threshold.

    While the level rises, a sample only ever moves to an earlier exit: to exit i when the level passes its rank
    there, if it did not stop before i already. Each move changes quality and cost; their running sums are the curve.

    Args:
        levels: The levels of each early exit, with the same thresholds at each.
        good: [E, S] whether the answer of each exit is good.
        costs: [E] the cost of a sample by exit.

    Returns:
        One candidate per level of the shared threshold.
    """
    ranks = np.stack([one.ranks for one in levels])
    exits, samples = good.shape
    top = levels[0].top
    lowest = np.minimum.accumulate(ranks, axis=0)
    quality = np.zeros(top + 1)
    cost = np.zeros(top + 1)
    quality[0], cost[0] = np.count_nonzero(good[-1]), costs[-1] * samples
    leaving = np.full(samples, exits - 1)  # where the sample is before it moves
    for place in range(exits - 2, -1, -1):
        moves = ranks[place] < top
        if place:
            moves &= ranks[place] < lowest[place - 1]
        at, origin = ranks[place][moves] + 1, leaving[moves]
        gained = good[place][moves].astype(np.int8) - good[origin, np.flatnonzero(moves)]
        quality += np.bincount(at, gained, top + 1)
        cost += np.bincount(at, costs[place] - costs[origin], top + 1)
        leaving[moves] = place
    chosen = np.repeat(np.arange(top + 1, dtype=np.int32)[:, None], exits - 1, axis=1)
    return ParetoSet(levels=chosen, quality=np.cumsum(quality), cost=np.cumsum(cost) / samples)
