"""Operating points: what one vector of thresholds does to a set of samples.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offramp.errors import EvidenceError, OptionError, ThresholdError
from offramp.graph import Gate

from ._costs import Costs
from ._evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """One vector of thresholds and what it gave on the samples on which it was measured.

    Attributes:
        thresholds: One threshold per early exit; each is a float32 value.
        accuracy: Share of right answers, or None without labels.
        agreement: Share of answers equal to the original network's.
        harm: Share of samples that the original network gets right and this point wrong, or None without labels.
        macs: Mean cost per sample, in the unit of the costs that the point was measured with: multiply-accumulates, as
            a rule.
        relative_macs: `macs` as a share of the baseline's.
        exit_rates: Share of samples that answer at each exit, the final one last.
    """

    thresholds: tuple[float, ...]
    accuracy: float | None
    agreement: float
    harm: float | None
    macs: float
    relative_macs: float
    exit_rates: tuple[float, ...]


def exits_taken(evidence: Evidence, thresholds: Sequence[float], score: str) -> NDArray[np.int64]:
    """The exit at which each sample leaves: the first whose score passes its threshold, else the final one.

    The comparison is made in float32, as the engines make it; a NaN never passes.

    Args:
        evidence: Evidence of any samples.
        thresholds: One threshold per early exit.
        score: Name of the score that the gates compare.

    Returns:
        [S] the number of the exit that each sample leaves at, the final one being the last.

    Raises:
        ThresholdError: Not one threshold per early exit, or a NaN among them.
        EvidenceError: The evidence does not hold this score.
    """
    values, gate = score_of(evidence, score)
    limits = check_thresholds(thresholds, values.shape[1])
    passed = values >= limits if gate.direction == "higher" else values < limits
    final = np.ones((len(values), 1), np.bool_)
    taken: NDArray[np.int64] = np.argmax(np.concatenate([passed, final], axis=1), axis=1).astype(np.int64)
    return taken


def operate(evidence: Evidence, costs: Costs, thresholds: Sequence[float], score: str) -> OperatingPoint:
    """What these thresholds do to these samples.

    Args:
        evidence: Evidence of any samples, also of others than those that the thresholds were chosen on.
        costs: The cost of a sample by exit.
        thresholds: One threshold per early exit.
        score: Name of the score that the gates compare.

    Returns:
        What these thresholds give on these samples.

    Raises:
        ThresholdError: Not one threshold per early exit, or a NaN among them.
        EvidenceError: The evidence does not hold this score, or another number of exits than the costs.

    Example:
        >>> gate = Gate(direction="higher", stop_all=0.0, stop_none=2.0)
        >>> seen = Evidence(ids=np.arange(2), predictions=np.array([[1, 1], [0, 1]]), reference=np.array([1, 1]),
        ...                 scores={"p": np.array([[0.9], [0.6]], np.float32)}, gates={"p": gate})
        >>> point = operate(seen, Costs(per_exit=np.array([1.0, 4.0]), baseline=4.0, unit="macs"), [0.75], "p")
        >>> point.agreement, point.relative_macs, point.exit_rates
        (1.0, 0.625, (0.5, 0.5))
    """
    values, _ = score_of(evidence, score)
    limits = check_thresholds(thresholds, values.shape[1])
    return Outcomes(evidence, costs, score).point(limits)


class Outcomes:
    """Evidence laid out by exit, to judge many vectors of thresholds one after the other."""

    def __init__(self, evidence: Evidence, costs: Costs, score: str) -> None:
        values, self._gate = score_of(evidence, score)
        if costs.per_exit.shape != (evidence.exits,):
            raise EvidenceError(
                f"costs must name one cost per exit, but name {costs.per_exit.size} for {evidence.exits} exits. "
                "Count the same graph that gave the evidence."
            )
        self._samples = len(evidence)
        self._costs = costs
        self._scores = np.ascontiguousarray(values.T)
        self._gains = {name: qualities(evidence, name) for name in ("agreement", *_with_labels(evidence))}

    def point(self, thresholds: NDArray[np.float32]) -> OperatingPoint:
        """Judges one vector of thresholds."""
        exits = len(self._costs.per_exit)
        counts = np.zeros(exits, np.int64)
        sums = dict.fromkeys(self._gains, 0)
        going = np.ones(self._samples, np.bool_)
        for place in range(exits):
            leaving = going & self._passed(place, thresholds[place]) if place < exits - 1 else going
            counts[place] = np.count_nonzero(leaving)
            for name, gain in self._gains.items():
                sums[name] += int(np.count_nonzero(leaving & gain[place]))
            going = going & ~leaving
        mean = {name: float(value / self._samples) for name, value in sums.items()}
        macs = float(counts @ self._costs.per_exit / self._samples)
        return OperatingPoint(
            thresholds=tuple(float(one) for one in thresholds),
            accuracy=mean.get("accuracy"),
            agreement=mean["agreement"],
            harm=float((self._samples - sums["harm"]) / self._samples) if "harm" in sums else None,
            macs=macs,
            relative_macs=macs / self._costs.baseline,
            exit_rates=tuple((counts / self._samples).tolist()),
        )

    def _passed(self, place: int, threshold: np.float32) -> NDArray[np.bool_]:
        scores = self._scores[place]
        passed: NDArray[np.bool_] = scores >= threshold if self._gate.direction == "higher" else scores < threshold
        return passed


def qualities(evidence: Evidence, quality: str) -> NDArray[np.bool_]:
    """Whether the answer of each exit is good.

    Args:
        evidence: Evidence of the samples.
        quality: "agreement" (the answer is the original network's), "accuracy" (it is right), or "harm" (it does none:
            it is right, or the original network is wrong).

    Returns:
        [E, S] a truth value per exit and sample.

    Raises:
        EvidenceError: The quality needs labels and there are none.
        OptionError: There is no such quality.
    """
    answers = evidence.predictions.T
    if quality == "agreement":
        return np.ascontiguousarray(answers == evidence.reference)
    if quality not in ("accuracy", "harm"):
        raise OptionError(f"quality must be agreement, accuracy or harm, but is {quality!r}. Choose one of them.")
    if evidence.labels is None:
        raise EvidenceError(f"{quality} must be judged with labels, but the evidence has none. Ask for agreement.")
    right = answers == evidence.labels
    if quality == "harm":
        right |= evidence.reference != evidence.labels
    return np.ascontiguousarray(right)


def score_of(evidence: Evidence, score: str) -> tuple[NDArray[np.float32], Gate]:
    """[S, N] the values of a score, and its gate.

    Raises:
        EvidenceError: The evidence does not hold this score.
    """
    if score not in evidence.scores:
        raise EvidenceError(f"score must be one of {sorted(evidence.scores)}, but is {score!r}. Choose one of them.")
    return evidence.scores[score], evidence.gates[score]


def check_thresholds(thresholds: Sequence[float] | NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
    """The thresholds as float32, one per early exit.

    Raises:
        ThresholdError: Another number of them, or a NaN.
    """
    limits = np.asarray(thresholds, np.float32)
    if limits.shape != (wanted,) or np.isnan(limits).any():
        raise ThresholdError(
            f"thresholds must be {wanted} numbers, one per early exit, but are {limits.tolist()}. Give exactly these."
        )
    return limits


def _with_labels(evidence: Evidence) -> tuple[str, ...]:
    return () if evidence.labels is None else ("accuracy", "harm")
