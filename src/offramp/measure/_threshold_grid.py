"""Every combination of a few levels per exit, judged at once.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._levels import Levels
from ._pareto_set import ParetoSet

CELLS = 300_000  # combinations that fit in a few megabytes and take some 50 ms


def threshold_grid(levels: tuple[Levels, ...], good: NDArray[np.bool_], costs: NDArray[np.float64]) -> ParetoSet:
    """All combinations of evenly chosen levels, the marked ones among them.

    A sample that stops at exit i counts in the combinations whose levels are at most its ranks before i and above
    its rank at i: sums from the far end of the axes before i, from the near end along axis i, of one histogram.

    Args:
        levels: The levels of each early exit.
        good: [E, S] whether the answer of each exit is good.
        costs: [E] the cost of a sample by exit.

    Returns:
        One candidate per combination.
    """
    chosen = [_thin(one, most_levels(len(levels))) for one in levels]
    shape = tuple(len(one) for one in chosen)
    cells = [np.searchsorted(keep, one.ranks, side="right") - 1 for keep, one in zip(chosen, levels, strict=True)]
    quality, cost = np.zeros(shape), np.zeros(shape)
    flat = np.zeros(good.shape[1], np.intp)
    for place in range(len(levels) + 1):
        last = place == len(levels)
        if not last:
            flat = flat * shape[place] + cells[place]
        axes = place if last else place + 1
        rest = (1,) * (len(levels) - axes)
        for total, weight, scale in ((quality, good[place], 1.0), (cost, None, costs[place] / good.shape[1])):
            counted = np.bincount(flat, weight, int(np.prod(shape[:axes]))).reshape(shape[:axes]) * scale
            total += _stopping(counted, place).reshape(shape[:axes] + rest)
    picked = np.stack(np.unravel_index(np.arange(cost.size), shape), axis=1)
    values = np.stack([keep[picked[:, place]] for place, keep in enumerate(chosen)], axis=1)
    return ParetoSet(levels=values.astype(np.int32), quality=quality.ravel(), cost=cost.ravel())


def is_whole(levels: tuple[Levels, ...]) -> bool:
    """Whether the grid holds every combination there is."""
    return all(one.top < most_levels(len(levels)) for one in levels)


def most_levels(exits: int) -> int:
    """How many levels of each of so many early exits a grid has room for.

    Args:
        exits: The number of early exits.

    Returns:
        The number of levels per exit.

    Example:
        >>> [most_levels(exits) for exits in (1, 2, 3, 4, 5)]
        [300000, 547, 66, 23, 12]
    """
    return int(CELLS ** (1 / exits))


def _thin(levels: Levels, most: int) -> NDArray[np.int64]:
    """About `most` levels in even steps, and all marked ones if there is room."""
    if levels.top < most:
        return np.arange(levels.top + 1)
    marked = levels.marked if len(levels.marked) <= most else levels.marked[[0, -1]]
    room = max(2, most - len(marked) + 2)
    return np.union1d(np.linspace(0, levels.top, room).round().astype(np.int64), marked)


def _stopping(counted: NDArray[np.float64], place: int) -> NDArray[np.float64]:
    """From samples per cell to samples that stop at exit `place`, per combination."""
    for axis in range(counted.ndim):
        if axis < place:  # goes on: level <= rank
            counted = np.flip(np.cumsum(np.flip(counted, axis), axis), axis)
        else:  # stops: rank < level
            summed = np.cumsum(counted, axis)
            counted = np.roll(summed, 1, axis)
            counted[(slice(None),) * axis + (0,)] = 0
    return counted
