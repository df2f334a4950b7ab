"""Does the promise hold? Calibrate again and again, and count how often it is broken.

Shape letters: P points, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from offramp.errors import OptionError
from offramp.measure import Costs, Evidence, frontier

from ._loss import find_losses
from ._sequence import last_certified, order_points
from ._target import Target, quality_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How often a promise was broken.

    Attributes:
        share_exceeding: Share of the draws whose point loses more than promised on the whole rest.
        limit: The most that an honest promise exceeds in 99 % of such audits: 1 - confidence and binomial noise.
        draws: Number of calibration sets drawn.
        share_refused: Share of the draws in which nothing could be promised.
        relative_macs: Mean cost of the chosen points, on the tuning samples; those refused cost the full network.
        mean_loss: Mean loss of the chosen points on the rest.
    """

    share_exceeding: float
    limit: float
    draws: int
    share_refused: float
    relative_macs: float
    mean_loss: float

    @property
    def holds(self) -> bool:
        """Whether the promise was broken no more often than it may be."""
        return self.share_exceeding <= self.limit


def audit(
    evidence: Evidence,
    costs: Costs,
    *,
    score: str,
    target: Target | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Audit:
    """Tunes once on 30 % of the samples, then draws half of the rest as calibration set again and again.

    Each draw's point is judged on the whole rest, whose loss is known: an honest promise is broken there in at most
    1 - confidence of the draws, but for binomial noise.

    Args:
        evidence: Evidence of samples that the network did not train on.
        costs: The cost of a sample by exit.
        score: Name of the score that the gates compare.
        target: What is promised in every draw; 1 % of agreement with 95 % confidence if not given.
        draws: The number of calibration sets that are drawn.
        seed: The seed of the split and of the draws.

    Returns:
        How often the promise was broken, and the most that an honest one is.

    Raises:
        EvidenceError: No such score, or labels are needed and missing.
        OptionError: Fewer than ten samples, or no draws.
    """
    if len(evidence) < 10 or draws < 1:
        raise OptionError(f"an audit needs 10 samples and a draw, but has {len(evidence)} and {draws}. Give more.")
    asked = target or Target(kind="agreement")
    kind = asked.kind_with(labels=evidence.labels is not None)
    random = np.random.default_rng(seed)
    order = random.permutation(len(evidence))
    cut = round(0.3 * len(order))
    drawn = frontier(evidence.subset(order[:cut]), costs, score=score, quality=quality_for(kind))
    rest = evidence.subset(order[cut:])
    points = (*order_points(drawn, asked.limit), drawn.full)  # the last is chosen if none passes
    losses = np.stack([find_losses(rest, point.thresholds, score, kind) for point in points])
    chosen = np.empty(draws, np.int64)
    for draw in range(draws):
        some = losses[:-1, random.permutation(len(rest))[: len(rest) // 2]]
        chosen[draw], _ = last_certified(some, kind, max_loss=asked.limit, confidence=asked.confidence)
    loss = losses.mean(axis=1)[chosen]
    return Audit(
        share_exceeding=float(np.mean((chosen >= 0) & (loss > asked.limit))),
        limit=float(binom.ppf(0.99, draws, 1 - asked.confidence) / draws),
        draws=draws,
        share_refused=float(np.mean(chosen < 0)),
        relative_macs=float(np.mean([points[place].relative_macs for place in chosen])),
        mean_loss=float(loss.mean()),
    )
