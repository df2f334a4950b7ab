"""Levels: whole numbers that stand for thresholds, so that a search compares no floats.

At level l of an exit the samples with rank < l stop. Level 0 stops none, the top level all but the NaN.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples, L top level of an exit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offramp.graph import Gate

# BranchyNet's (Teerapittayanon et al., ICPR 2016) published grids of entropy thresholds: for LeNet and ResNet, and for
# AlexNet. Entropies of 10 classes end at ln 10 = 2.3; above it everybody leaves.
BRANCHYNET_GRID = (1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0)
BRANCHYNET_ALEXNET_GRID = (1e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 0.75, 1.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """The thresholds worth trying at one exit, and the rank of each sample among them.

    Attributes:
        ranks: [S] the first level at which the sample still goes on: it stops at every higher one.
        thresholds: [L + 1] the float32 threshold of each level.
        marked: Levels that a coarser choice must keep: the ends and the published grid.
        asked: The levels that decide as the thresholds that were asked for.
    """

    ranks: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    marked: NDArray[np.int64]
    asked: NDArray[np.int64]

    @property
    def top(self) -> int:
        """The level at which every sample (but NaN) stops."""
        return len(self.thresholds) - 1


def find_levels(
    scores: NDArray[np.float32],
    gate: Gate,
    *,
    most: int | None = None,
    asked: NDArray[np.float32] | None = None,
    published: Sequence[float] = BRANCHYNET_GRID,
) -> Levels:
    """The levels of one exit: one per distinct score, or about `most` quantiles of the scores.

    Args:
        scores: [S] what the gate compares; several exits in one array share their levels.
        gate: Direction and extremes.
        most: Keep at most about so many levels.
        asked: Thresholds that must have a level that decides as they do, whatever `most` says.
        published: The same, if a lower score is surer; they are marked.

    Returns:
        The levels, and the rank of each sample among them.
    """
    values, counts = np.unique(scores[~np.isnan(scores)], return_counts=True)
    grid = _passing(values, published if gate.direction == "lower" else (), gate)
    extra = _passing(values, () if asked is None else asked, gate)
    ends = np.array([0, len(values)])
    if gate.direction == "higher":
        values, counts = values[::-1], counts[::-1]  # surest first
    marked = np.unique(np.concatenate([ends, grid]))
    cuts = np.unique(np.concatenate([_quantiles(counts, most), marked, extra]))
    thresholds = _between(values, cuts, gate)
    return Levels(
        ranks=_ranks(scores, thresholds, gate),
        thresholds=thresholds,
        marked=np.searchsorted(cuts, marked),
        asked=np.searchsorted(cuts, extra),
    )


def grid_levels(scores: NDArray[np.float32], gate: Gate, grid: Sequence[float]) -> Levels:
    """The levels of one exit that a grid of thresholds names, strictest first, after level 0, which stops none.

    Args:
        scores: [S] what the gate compares.
        gate: Direction and extremes.
        grid: Thresholds, in any order; those that are the same float32 count once.

    Returns:
        The levels, and the rank of each sample among them.
    """
    given = np.unique(np.asarray(grid, np.float32))
    strictest_first = given[::-1] if gate.direction == "higher" else given
    every = np.arange(len(given) + 1)
    return Levels(
        ranks=_failed(scores, strictest_first, gate).astype(np.int32),
        thresholds=np.concatenate([np.array([gate.stop_none], np.float32), strictest_first]),
        marked=every,
        asked=every[1:],
    )


def split_levels(levels: Levels, parts: int) -> tuple[Levels, ...]:
    """Cuts levels that several exits share into those of each exit."""
    return tuple(replace(levels, ranks=ranks) for ranks in levels.ranks.reshape(parts, -1))


def as_thresholds(levels: Sequence[Levels], chosen: NDArray[np.integer]) -> NDArray[np.float32]:
    """[N] the thresholds of one level per exit."""
    return np.array([one.thresholds[level] for one, level in zip(levels, chosen, strict=True)], np.float32)


def _passing(
    values: NDArray[np.float32], thresholds: Sequence[float] | NDArray[np.float32], gate: Gate
) -> NDArray[np.int64]:
    """How many of the distinct scores pass each threshold."""
    below = np.searchsorted(values, np.asarray(thresholds, np.float32))
    return len(values) - below if gate.direction == "higher" else below


def _quantiles(counts: NDArray[np.int64], most: int | None) -> NDArray[np.int64]:
    """How many of the surest distinct scores stop, at evenly filled steps."""
    if most is None or len(counts) <= most:
        return np.arange(len(counts) + 1)
    below = np.concatenate([[0], np.cumsum(counts)])
    return np.unique(np.searchsorted(below, np.linspace(0, below[-1], most + 1)))


def _ranks(scores: NDArray[np.float32], thresholds: NDArray[np.float32], gate: Gate) -> NDArray[np.int32]:
    """[S] how many of the levels between the ends each score does not pass; all and one more for NaN."""
    failed = _failed(scores, thresholds[1:-1], gate)
    return np.where(np.isnan(scores), len(thresholds) - 1, failed).astype(np.int32)


def _failed(scores: NDArray[np.float32], thresholds: NDArray[np.float32], gate: Gate) -> NDArray[np.intp]:
    """[S] how many of these thresholds, strictest first, each score does not pass; all for NaN."""
    if gate.direction == "higher":
        failed = len(thresholds) - np.searchsorted(thresholds[::-1], scores, side="right")
        return np.where(np.isnan(scores), len(thresholds), failed)
    return np.searchsorted(thresholds, scores, side="right")


def _between(values: NDArray[np.float32], cuts: NDArray[np.int64], gate: Gate) -> NDArray[np.float32]:
    """Thresholds halfway between the last score that stops and the first that goes on.

    Either direction needs low < T <= high in float32: the higher score stops at "score >= T", the lower at "score < T".
    """
    thresholds = np.empty(len(cuts), np.float32)
    thresholds[0], thresholds[-1] = gate.stop_none, gate.stop_all
    if len(cuts) == 1:  # nothing but NaN
        return np.full(1, gate.stop_none, np.float32)
    low, high = np.sort(np.stack([values[cuts[1:-1] - 1], values[cuts[1:-1]]]), axis=0)
    with np.errstate(invalid="ignore"):
        middle = ((low.astype(np.float64) + high.astype(np.float64)) / 2).astype(np.float32)
    thresholds[1:-1] = np.where((middle > low) & (middle <= high), middle, high)
    return thresholds
