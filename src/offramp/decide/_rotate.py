"""Every sample is a test sample once: what a decision does to samples that it has not seen.

Shape letters: E exits with the final one, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError
from offramp.measure import Costs, Evidence, exits_taken, frontier

from ._decision import Decision, thresholds
from ._target import Target, quality_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Means over all samples, each judged in the round in which it was test.

    Attributes:
        agreement: Share of answers equal to the original network's.
        accuracy: Share of right answers, or None without labels.
        accuracy_difference: Accuracy less the original network's, sample by sample, or None without labels.
        accuracy_interval: 95 % interval of that difference, or None without labels.
        harm: Share of samples that the original gets right and this wrong, or None without labels.
        relative_macs: Mean cost as a share of the baseline's.
        exit_rates: Share of samples that answer at each exit.
        decisions: Of the three rounds.
    """

    agreement: float
    accuracy: float | None
    accuracy_difference: float | None
    accuracy_interval: tuple[float, float] | None
    harm: float | None
    relative_macs: float
    exit_rates: tuple[float, ...]
    decisions: tuple[Decision, ...]


def rotate(
    evidence: Evidence, costs: Costs, *, score: str, promise: Target | None = None, shared: bool = False, seed: int = 0
) -> Rotation:
    """Splits the samples in three parts that take turns as tune, calibrate and test.

    Args:
        evidence: Of samples that the network did not train on.
        costs: Multiply-accumulates by exit.
        score: Name of the score that the gates compare.
        promise: What each round promises; 1 % of agreement with 95 % confidence if not given.
        shared: Use the same threshold at every exit.
        seed: Of the split.

    Raises:
        EvidenceError: No such score, or labels are needed and missing.
        OptionError: Fewer than three samples.
    """
    if len(evidence) < 3:
        raise OptionError(f"three parts need at least 3 samples, but there are {len(evidence)}. Give more samples.")
    asked = promise or Target(kind="agreement")
    kind = asked.kind_with(labels=evidence.labels is not None)
    parts = np.array_split(np.random.default_rng(seed).permutation(len(evidence)), 3)
    taken = np.empty(len(evidence), np.int64)
    decisions = []
    for turn in range(3):
        tune, calibrate, test = (evidence.subset(parts[(turn + role) % 3]) for role in range(3))
        drawn = frontier(tune, costs, score=score, shared=shared, quality=quality_for(kind))
        decision = thresholds(drawn, calibrate, max_loss=asked.limit, confidence=asked.confidence, kind=kind)
        taken[parts[(turn + 2) % 3]] = exits_taken(test, decision.thresholds, score)
        decisions.append(decision)
    return _summarize(evidence, costs, taken, tuple(decisions))


def _summarize(evidence: Evidence, costs: Costs, taken: NDArray[np.int64], decisions: tuple[Decision, ...]) -> Rotation:
    """Means over all samples."""
    answers = evidence.predictions[np.arange(len(evidence)), taken]
    accuracy = difference = interval = harm = None
    if evidence.labels is not None:
        right, before = answers == evidence.labels, evidence.reference == evidence.labels
        paired = right.astype(np.float64) - before
        accuracy, difference, harm = float(right.mean()), float(paired.mean()), float((before & ~right).mean())
        half = NormalDist().inv_cdf(0.975) * float(paired.std(ddof=1)) / len(paired) ** 0.5
        interval = (difference - half, difference + half)
    return Rotation(
        agreement=float((answers == evidence.reference).mean()),
        accuracy=accuracy,
        accuracy_difference=difference,
        accuracy_interval=interval,
        harm=harm,
        relative_macs=float(costs.relative[taken].mean()),
        exit_rates=tuple((np.bincount(taken, minlength=evidence.exits) / len(evidence)).tolist()),
        decisions=decisions,
    )
