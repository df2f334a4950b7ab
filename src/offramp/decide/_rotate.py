"""Every sample is a test sample once: what a decision does to samples that it has not seen.

Shape letters: E exits with the final one, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError
from offramp.measure import Costs, Evidence, exits_taken, frontier

from ._decision import Decision, thresholds
from ._interval import mean_interval
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
        decisions: The decisions of the three rounds.
    """

    agreement: float
    accuracy: float | None
    accuracy_difference: float | None
    accuracy_interval: tuple[float, float] | None
    harm: float | None
    relative_macs: float
    exit_rates: tuple[float, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """Which samples play which part in one of three rounds, by their positions.

    Attributes:
        tune: Where candidates for a choice are drawn from.
        calibrate: Where a choice is proven.
        test: Where it is judged.
        others: Both of the first, for a choice without a proof.
    """

    tune: NDArray[np.int64]
    calibrate: NDArray[np.int64]
    test: NDArray[np.int64]
    others: NDArray[np.int64]


def turns(samples: int, *, seed: int = 0) -> tuple[Turn, Turn, Turn]:
    """Three rounds over three random parts of the samples, so that every sample is tested once.

    Args:
        samples: How many samples there are.
        seed: The seed of the random division.

    Returns:
        The rounds; round i tunes on part i, calibrates on the next and tests on the one behind it, counted in a circle.

    Raises:
        OptionError: There are fewer than three samples.

    Example:
        >>> sorted(int(at) for turn in turns(6) for at in turn.test)
        [0, 1, 2, 3, 4, 5]
    """
    if samples < 3:
        raise OptionError(f"three parts need at least 3 samples, but there are {samples}. Give more samples.")
    parts = np.array_split(np.random.default_rng(seed).permutation(samples), 3)

    def turn(at: int) -> Turn:
        tested = (at + 2) % 3
        others = np.concatenate([part for place, part in enumerate(parts) if place != tested])
        return Turn(tune=parts[at], calibrate=parts[(at + 1) % 3], test=parts[tested], others=others)

    return turn(0), turn(1), turn(2)


def rotate(
    evidence: Evidence, costs: Costs, *, score: str, target: Target | None = None, shared: bool = False, seed: int = 0
) -> Rotation:
    """Splits the samples in three parts that take turns as tune, calibrate and test.

    Args:
        evidence: Evidence of samples that the network did not train on.
        costs: The cost of a sample by exit.
        score: Name of the score that the gates compare.
        target: What each round promises; 1 % of agreement with 95 % confidence if not given.
        shared: Use the same threshold at every exit.
        seed: The seed of the division in three parts.

    Returns:
        Means over all samples, and the decisions of the three rounds.

    Raises:
        EvidenceError: No such score, or labels are needed and missing.
        OptionError: Fewer than three samples.
    """
    asked = target or Target(kind="agreement")
    kind = asked.kind_with(labels=evidence.labels is not None)
    taken = np.empty(len(evidence), np.int64)
    decisions = []
    for turn in turns(len(evidence), seed=seed):
        tune, calibrate, test = (evidence.subset(part) for part in (turn.tune, turn.calibrate, turn.test))
        drawn = frontier(tune, costs, score=score, shared=shared, quality=quality_for(kind))
        decision = thresholds(drawn, calibrate, max_loss=asked.limit, confidence=asked.confidence, kind=kind)
        taken[turn.test] = exits_taken(test, decision.thresholds, score)
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
        interval = mean_interval(paired)
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
