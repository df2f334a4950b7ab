"""What was asked for, and what was promised."""

from __future__ import annotations

from typing import Literal

from ._part import Known, Part
from ._point import PointRecord

KindName = Literal["agreement", "harm", "net"]


class GoalRecord(Part):
    """What the point was chosen by.

    Attributes:
        name: A promise, a budget of work, or the knee of the frontier.
        max_loss: Accepted share of lost answers; null without a promise.
        confidence: How sure a promise is.
        kind: What a loss is: an answer that changes, one that turns wrong, or lost accuracy; null if nobody said.
        budget: Share of the network's multiply-accumulates that may be spent; null without a budget.
        margin: Share of `max_loss` that is held in reserve.
    """

    name: Literal["promise", "budget", "knee"]
    max_loss: float | None
    confidence: float
    kind: KindName | None
    budget: float | None
    margin: float = 0.0


class SearchRecord(Part):
    """How operating points were looked for.

    Attributes:
        name: The frontier search, or a screening that combines a few thresholds.
        grid: Thresholds that a screening combined; null for its own.
        shares: Instead of them, shares of the samples that leave at each exit; null for none.
    """

    name: Literal["frontier", "screening"]
    grid: tuple[float, ...] | None = None
    shares: tuple[float, ...] | None = None


class GuaranteeRecord(Part):
    """What is promised of samples to come, and how it was proven.

    Attributes:
        kind: What a loss is.
        max_loss: At most this share is lost.
        confidence: How sure that is.
        status: "certified" if it was proven; "refused" if not: then nobody leaves early.
        p_value: The p-value of the test on the calibration samples; null if there was none.
        calibration_samples: Number of samples that it was proven on.
        margin: Share of `max_loss` that is held in reserve.
        test_loss: Share that was lost on the test samples.
        test_interval: Limits between which the loss of all samples lies with 95 % confidence, by the test samples.
        remedy: What would help if nothing could be promised; null if something was.
    """

    kind: KindName
    max_loss: float
    confidence: float
    status: Literal["certified", "refused"]
    p_value: Known
    calibration_samples: int
    margin: float = 0.0
    test_loss: Known
    test_interval: tuple[float, float] | None = None
    remedy: str | None = None


class LossRecord(GuaranteeRecord, PointRecord):
    """What one acceptable loss would cost: the point that would be promised, on the test samples."""
