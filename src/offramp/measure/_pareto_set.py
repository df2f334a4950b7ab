"""The candidates that a search has met, and which of them nothing beats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParetoSet:
    """Candidates with what they are worth.

    Attributes:
        levels: [C, N] one level per early exit.
        quality: [C] number of good answers.
        cost: [C] mean cost per sample.
    """

    levels: NDArray[np.int32]
    quality: NDArray[np.float64]
    cost: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cost)

    def take(self, positions: NDArray[np.integer]) -> ParetoSet:
        """Some of the candidates."""
        return ParetoSet(levels=self.levels[positions], quality=self.quality[positions], cost=self.cost[positions])


def no_candidates(exits: int) -> ParetoSet:
    """No candidates, for so many early exits."""
    return ParetoSet(levels=np.zeros((0, exits), np.int32), quality=np.zeros(0), cost=np.zeros(0))


def join(*sets: ParetoSet) -> ParetoSet:
    """All candidates of all sets."""
    return ParetoSet(
        levels=np.concatenate([part.levels for part in sets]),
        quality=np.concatenate([part.quality for part in sets]),
        cost=np.concatenate([part.cost for part in sets]),
    )


def unbeaten(candidates: ParetoSet) -> ParetoSet:
    """The Pareto front, safest first: each next candidate costs less and is worth less."""
    return candidates.take(front(candidates.quality, candidates.cost))


def front(quality: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of the Pareto front, best quality first; of equals the first stays."""
    order = np.lexsort((-quality, cost))
    before = np.maximum.accumulate(np.concatenate([[-np.inf], quality[order][:-1]]))
    return order[quality[order] > before][::-1]


def spread(candidates: ParetoSet, most: int) -> NDArray[np.intp]:
    """Positions of at most `most` candidates of a front, evenly along cost and root of the loss, with both ends.

    The root gives as much room to the first percent that is lost as to the next three: there the users are.
    """
    if len(candidates) <= most:
        return np.arange(len(candidates))
    loss = np.sqrt(candidates.quality[0] - candidates.quality)
    steps = sum(np.abs(np.diff(axis)) / max(np.ptp(axis), 1e-300) for axis in (loss, candidates.cost))
    length = np.concatenate([[0.0], np.cumsum(steps)])
    return np.unique(np.searchsorted(length, np.linspace(0, length[-1], most)).clip(max=len(candidates) - 1))
