"""Does a promise still stand, for all that new samples tell about the loss?

Shape letters: S samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from offramp.measure import Evidence

from ._drift_test import DriftTest
from ._interval import loss_interval, share_interval
from ._loss import Kind, find_losses

MOST = 10**8  # samples that one may still be told to bring


class Verdict(Enum):
    """What new samples say about a promise; the text says what to do."""

    STANDS = "nothing needs to be done"
    BROKEN = "choose thresholds again on samples like these (`offramp recalibrate`), or train the exits on them"
    TOO_FEW_SAMPLES = "about {needed:,} samples in all would decide, if the loss stays as it is"
    ON_THE_LIMIT = "the loss lies too close to the limit to tell: accept that, or choose thresholds again"
    NEEDS_LABELS = "answers that change need not be wrong ones: give labels, without which {kind} cannot be told"
    NEEDS_THE_ORIGINAL = (
        "the final exit itself differs from the original network in {apart:.2%} of the expected samples, and only that "
        "network could tell on which of the new ones"
    )
    NOTHING_PROMISED = "there is no promise to compare with: choose thresholds by a loss"

    @property
    def is_open(self) -> bool:
        """Whether the promise is neither proven again nor refuted."""
        return self not in (Verdict.STANDS, Verdict.BROKEN, Verdict.NOTHING_PROMISED)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuaranteeCheck:
    """What the loss on new samples says about a promise.

    Attributes:
        kind: What was counted as a loss: what was promised, or "agreement" if that needs labels and there are none.
        promised: The kind of loss that was promised to stay below a limit, and the limit; None if nothing was promised.
        samples: The number of samples that were run to the end.
        loss: Their mean loss, against the answers of the final exit.
        interval: The limits between which the true loss lies.
        confidence: The confidence of these limits.
        apart: Share of the expected samples on which the final exit differs from the original network: by so much the
            limits are widened, because new samples do not tell it.
        verdict: What follows for the promise.
        needed: How many samples in all would decide at this loss; None if that is no matter of numbers.
        remedy: What to do, in words.
    """

    kind: Kind
    promised: tuple[Kind, float] | None
    samples: int
    loss: float
    interval: tuple[float, float]
    confidence: float
    apart: float
    verdict: Verdict = Verdict.NOTHING_PROMISED
    needed: int | None = None
    remedy: str = Verdict.NOTHING_PROMISED.value

    @property
    def is_stand_in(self) -> bool:
        """Whether agreement was counted where something else was promised: it is never less than harm or net loss."""
        return self.promised is not None and self.promised[0] != self.kind


def check_guarantee(
    expected: Evidence, seen: Evidence, thresholds: Sequence[float], *, score: str, test: DriftTest
) -> GuaranteeCheck:
    """Compare the loss on new samples, run to the end, with the promise.

    The promise is broken if the lower limit of the loss lies above the accepted one, and stands if the upper limit does
    not. Where labels are needed and missing, changed answers are counted: every lost answer is a changed one, so
    that the promise can be proven again, but not refuted.

    Args:
        expected: Evidence of the samples that the promise was proven on.
        seen: Evidence of new samples, independent and in random order, whose reference is the final exit.
        thresholds: One threshold per early exit.
        score: Name of the score that the gates compare.
        test: The promise, and how sure to be.

    Returns:
        What was counted, between which limits the loss lies, and what follows.

    Raises:
        EvidenceError: The evidence does not hold this score.
        ThresholdError: Not one threshold per early exit.
    """
    target = test.target
    promised = None if target is None else (target.kind_with(labels=expected.labels is not None), target.limit)
    kind: Kind = "agreement" if promised is None or seen.labels is None else promised[0]
    losses = find_losses(seen, thresholds, score, kind)
    found = GuaranteeCheck(
        kind=kind,
        promised=promised,
        samples=len(seen),
        loss=float(losses.mean()),
        interval=loss_interval(losses, kind, confidence=test.confidence),
        confidence=test.confidence,
        apart=float((expected.predictions[:, -1] != expected.reference).mean()),
    )
    return _judge(found)


def _judge(found: GuaranteeCheck) -> GuaranteeCheck:
    """The same with verdict and remedy."""
    if found.promised is None:
        return found
    verdict = _compare(found, found.interval)
    needed = None
    if verdict is None:
        needed = _needed(found)
        verdict = Verdict.TOO_FEW_SAMPLES if needed is not None else _hindrance(found)
    remedy = verdict.value.format(needed=needed, kind=found.promised[0], apart=found.apart)
    return replace(found, verdict=verdict, needed=needed, remedy=remedy)


def _compare(found: GuaranteeCheck, interval: tuple[float, float]) -> Verdict | None:
    """Whether the promise stands or is broken if the loss lies between these limits; None if neither follows."""
    assert found.promised is not None, "there is something to compare with"
    (low, high), (_, accepted) = interval, found.promised
    if high + found.apart <= accepted:
        return Verdict.STANDS
    return Verdict.BROKEN if low - found.apart > accepted and not found.is_stand_in else None


def _hindrance(found: GuaranteeCheck) -> Verdict:
    """Why no number of samples would decide."""
    assert found.promised is not None, "there is something to compare with"
    if found.is_stand_in and found.loss + found.apart > found.promised[1]:
        return Verdict.NEEDS_LABELS
    return Verdict.NEEDS_THE_ORIGINAL if found.apart else Verdict.ON_THE_LIMIT


def _needed(found: GuaranteeCheck) -> int | None:
    """How many samples with this loss would decide, in two digits; None if no number would."""
    few, many = found.samples, 2 * found.samples
    while _compare(found, _interval_at(found, many)) is None:
        few, many = many, 2 * many
        if many > MOST:
            return None
    while many - few > max(1, few // 100):
        middle = (few + many) // 2
        few, many = (few, middle) if _compare(found, _interval_at(found, middle)) else (middle, many)
    unit: int = 10 ** max(0, int(math.log10(many)) - 1)
    return unit * math.ceil(many / unit)


def _interval_at(found: GuaranteeCheck, samples: int) -> tuple[float, float]:
    """The limits that so many samples of the same loss would give; of net losses by the square root of the number."""
    if found.kind != "net":
        return share_interval(found.loss * samples, samples, found.confidence)
    shrink = math.sqrt(found.samples / samples)
    low, high = found.interval
    return found.loss - shrink * (found.loss - low), found.loss + shrink * (high - found.loss)
