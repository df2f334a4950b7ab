"""The knee: where paying more stops being worth it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offramp.errors import CurveError

from ._evidence import Evidence
from ._frontier import Frontier
from ._operating import exits_taken, qualities
from ._pareto_set import front


def knee(macs: NDArray[np.float64], quality: NDArray[np.float64]) -> int:
    """Position of the knee of a quality/cost curve.

    The knee is the point standing highest above the straight line that joins the two ends, once both axes run from
    0 to 1.

    Args:
        macs: Mean multiply-accumulates per sample, strictly increasing.
        quality: Agreement or accuracy in [0, 1] at each cost.

    Returns:
        Index of the knee, between 0 and points - 1.

    Raises:
        CurveError: Fewer than three points, `macs` does not increase, or `quality` gains nothing.

    Example:
        >>> macs = np.array([1e6, 2e6, 4e6, 8e6])
        >>> knee(macs, np.array([0.60, 0.85, 0.90, 0.91]))
        1

    Reference:
        Satopaa et al., "Finding a Kneedle in a Haystack", ICDCS Workshops 2011, the difference curve; we leave out
        the smoothing step.
    """
    macs, quality = np.asarray(macs, np.float64), np.asarray(quality, np.float64)
    if macs.ndim != 1 or macs.shape != quality.shape or len(macs) < 3:
        raise CurveError(
            f"a knee needs at least three points, one quality per cost, but has {macs.size} costs and {quality.size} "
            "qualities. Ask for a loss or a budget instead."
        )
    falls = np.diff(macs) <= 0
    if falls.any() or not np.isfinite(macs).all():
        at = int(np.argmax(falls)) + 1
        raise CurveError(
            f"macs must increase, but macs[{at}]={macs[at]:g} follows {macs[at - 1]:g}. "
            "Drop the dominated points first."
        )
    if not quality[-1] > quality[0]:
        raise CurveError(
            f"quality must gain from first to last point, but goes from {quality[0]:.3f} to {quality[-1]:.3f}. "
            "The cheapest point wins."
        )
    x = (macs - macs[0]) / (macs[-1] - macs[0])
    y = (quality - quality[0]) / (quality[-1] - quality[0])
    return int(np.argmax(y - x))


def knee_interval(
    frontier: Frontier, evidence: Evidence, *, confidence: float = 0.95, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Between which relative MACs the knee lies if the samples are drawn again.

    The thresholds of the frontier stay; each draw weighs the samples anew (bootstrap), drops the points that are then
    dominated, and looks for the knee. Draws without a knee are left out.

    Args:
        frontier: The frontier whose knee is meant.
        evidence: The samples to draw from, usually those of the frontier.
        confidence: The share of the draws that lies inside the interval.
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        The lower and the upper limit, as shares of the baseline's cost.

    Raises:
        CurveError: No draw has a knee.

    Reference:
        Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979, the percentile interval.
    """
    good = qualities(evidence, frontier.quality)
    taken = np.stack([exits_taken(evidence, point.thresholds, frontier.score) for point in frontier.points])
    values = good[taken, np.arange(len(evidence))].astype(np.float32)
    costs = frontier.costs.relative[taken].astype(np.float32)
    weights = np.random.default_rng(seed).multinomial(
        len(evidence), np.full(len(evidence), 1 / len(evidence)), size=draws
    )
    mean = weights.T.astype(np.float32) / np.float32(len(evidence))
    found = [_knee_cost(cost, value) for cost, value in zip((costs @ mean).T, (values @ mean).T, strict=True)]
    knees = [cost for cost in found if cost is not None]
    if not knees:
        raise CurveError(
            f"a knee interval needs draws with a knee, but none of {draws} has one. Ask for a loss or a budget instead."
        )
    low, high = np.quantile(knees, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _knee_cost(costs: NDArray[np.float32], quality: NDArray[np.float32]) -> float | None:
    """Cost at the knee of one draw, if it has one."""
    kept = front(quality.astype(np.float64), costs.astype(np.float64))[::-1]
    x, y = costs[kept].astype(np.float64), quality[kept].astype(np.float64)
    try:
        return float(x[knee(x, y)])
    except CurveError:
        return None
