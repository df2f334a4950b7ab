"""Screening of thresholds: BranchyNet's way to the curve that the frontier search draws from the same numbers.

It promises nothing and only measures, so it lives here beside the frontier search, and `decide` takes either's result.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples, P points.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError
from offramp.graph import Gate

from ._costs import Costs
from ._evidence import Evidence
from ._frontier import Frontier, Quality, draw_by
from ._levels import BRANCHYNET_ALEXNET_GRID, BRANCHYNET_GRID, Levels, find_levels, grid_levels
from ._pareto_set import ParetoSet, unbeaten
from ._search import CoordinateSearch
from ._threshold_grid import most_levels, threshold_grid


def screening(
    evidence: Evidence,
    costs: Costs,
    *,
    score: str,
    grid: Sequence[float] | None = None,
    shares: Sequence[float] | None = None,
    quality: Quality = "agreement",
) -> Frontier:
    """Every combination of a few thresholds over the early exits, less those that another one beats.

    All are judged at once on the evidence. Instead of thresholds one may name shares: then each share is one candidate,
    in which every exit keeps that share of the samples that reach it, the surest.

    Args:
        evidence: Evidence of the tuning samples: nothing may be proved on them afterwards.
        costs: Multiply-accumulates by exit.
        score: Name of the score that the gates compare.
        grid: Thresholds to combine, the same at each exit. If there are neither these nor shares: for the entropy the
            longest of the two published lists that has room, for other scores as many quantiles of each exit's scores.
        shares: The shares of the samples at an exit that leave there, in (0, 1]; the original's usual one is 0.9.
        quality: What to keep: "agreement" with the original network, "accuracy", or no "harm" (both need labels).

    Returns:
        The points that none of the screened ones beats, safest first.

    Raises:
        EvidenceError: No such score, no labels, or another number of exits than the costs.
        OptionError: No such quality, unfit thresholds or shares, or more combinations than there is room for.

    Example:
        >>> gate = Gate(direction="lower", stop_all=10.0, stop_none=0.0)
        >>> seen = Evidence(ids=np.arange(2), predictions=np.array([[1, 1], [0, 1]]), reference=np.array([1, 1]),
        ...                 scores={"entropy": np.array([[0.125], [0.5]], np.float32)}, gates={"entropy": gate})
        >>> drawn = screening(seen, Costs(per_exit=np.array([1.0, 4.0]), baseline=4.0, unit="macs"), score="entropy",
        ...                   grid=[0.25, 1.0])
        >>> [(point.thresholds, point.agreement, point.macs) for point in drawn.points]
        [((0.25,), 1.0, 2.5), ((1.0,), 0.5, 1.0)]

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet: Fast inference via early exiting from deep neural networks",
        ICPR 2016; lists, product and shares are those of `utils.py` in the authors' code (kunglab/branchynet). That
        runs the network on the test set for each combination and keeps what gets more accurate when sorted by measured
        time; we reread the evidence of samples that are not the test set, and sort by multiply-accumulates.
    """
    if grid is not None and shares is not None:
        raise OptionError("grid and shares exclude each other, but both are given. Name thresholds or shares.")
    if shares is not None:
        return draw_by(
            partial(_keep_shares, shares=_check_shares(shares)), evidence, costs, score=score, quality=quality
        )
    wanted = None if grid is None else _check_grid(grid)
    if wanted is None and score == "entropy":
        wanted = _published(evidence.exits - 1)
    return draw_by(partial(_combine, grid=wanted), evidence, costs, score=score, quality=quality)


def _combine(
    values: NDArray[np.float32],
    gate: Gate,
    good: NDArray[np.bool_],
    costs: NDArray[np.float64],
    *,
    grid: tuple[float, ...] | None,
) -> tuple[tuple[Levels, ...], ParetoSet]:
    """All combinations of the thresholds of a grid, or of quantiles; level 0 is none of them."""
    exits = values.shape[1]
    room = most_levels(exits) - 1
    if (1 if grid is None else len(grid)) > room:
        raise OptionError(
            f"screening {exits} exits has room for {room} thresholds each, but {len(grid or (0,))} are asked for. "
            "Give fewer, or take the frontier search."
        )
    if grid is None:
        most = min(room, len(BRANCHYNET_GRID))
        levels = tuple(find_levels(column, gate, most=most, published=()) for column in values.T)
    else:
        levels = tuple(grid_levels(column, gate, grid) for column in values.T)
    candidates = threshold_grid(levels, good, costs)
    inside = np.ones(len(candidates), np.bool_)
    for place, one in enumerate(levels):
        inside &= (candidates.levels[:, place] > 0) | (one.top == 0)  # an exit with nothing but NaN has level 0 alone
    return levels, unbeaten(candidates.take(np.flatnonzero(inside)))


def _keep_shares(
    values: NDArray[np.float32],
    gate: Gate,
    good: NDArray[np.bool_],
    costs: NDArray[np.float64],
    *,
    shares: tuple[float, ...],
) -> tuple[tuple[Levels, ...], ParetoSet]:
    """One candidate per share."""
    asked = np.stack([_thresholds_of(values, gate, share) for share in shares])
    levels = tuple(find_levels(column, gate, asked=limits) for column, limits in zip(values.T, asked.T, strict=True))
    chosen = np.stack([one.asked for one in levels], axis=1).astype(np.int32)
    return levels, CoordinateSearch(levels, good, costs).judge(chosen)


def _thresholds_of(values: NDArray[np.float32], gate: Gate, share: float) -> NDArray[np.float32]:
    """[N] the thresholds at which each exit keeps this share of those that reach it, or less if scores are equal."""
    going = np.ones(len(values), np.bool_)
    limits = []
    for column in values.T:
        levels = find_levels(column[going], gate, published=())
        stopping = np.searchsorted(np.sort(levels.ranks), np.arange(levels.top + 1))  # at each level
        level = int(np.searchsorted(stopping, int(share * going.sum() + 1e-9), side="right")) - 1
        limits.append(levels.thresholds[level])
        going[going] = levels.ranks >= level
    return np.array(limits, np.float32)


def _published(exits: int) -> tuple[float, ...]:
    """The longest published list of entropies that so many exits have room for; else the shorter one, to be refused."""
    fits = exits < 1 or len(BRANCHYNET_GRID) < most_levels(exits)
    return BRANCHYNET_GRID if fits else BRANCHYNET_ALEXNET_GRID


def _check_grid(grid: Sequence[float]) -> tuple[float, ...]:
    values = np.unique(np.asarray(grid, np.float32))
    if not values.size or np.isnan(values).any():
        raise OptionError(f"grid must be one threshold or more, none of them NaN, but is {list(grid)}. Name some.")
    return tuple(float(one) for one in values)


def _check_shares(shares: Sequence[float]) -> tuple[float, ...]:
    if not len(shares) or not all(0 < share <= 1 for share in shares):
        raise OptionError(f"shares must be in (0, 1], one or more, but are {list(shares)}. For 90 percent give 0.9.")
    return tuple(sorted(set(shares)))
