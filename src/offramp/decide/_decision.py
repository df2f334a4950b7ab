"""Decisions: the operating point for an accepted loss, for a budget, or at the knee.

Shape letters: S samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offramp.errors import CurveError, OptionError
from offramp.measure import Evidence, Frontier, OperatingPoint, check_disjoint, operate
from offramp.measure import knee as find_knee

from ._loss import Kind, aim_at, check_target, find_losses, needed_samples
from ._sequence import last_certified, order_points


class Refusal(Enum):
    """Why nothing could be promised; the text says what would help."""

    TOO_FEW_SAMPLES = (
        "needs at least {needed} calibration samples, has {samples}: give more samples, or accept a larger loss"
    )
    TOO_MANY_LOSSES = (
        "the safest point lost {lost} of {samples} answers, with p-value {p:.2g}: give more calibration samples, "
        "accept a larger loss, or train the exits longer"
    )
    UNSAFE_NETWORK = (
        "the safest network lost {lost} of {samples} answers, with p-value {p:.2g}: give more calibration samples, "
        "accept a larger loss, or train one with a larger lambda"
    )
    ALREADY_LOST = (
        "with nobody leaving early {lost} of {samples} answers are lost already: choose a higher precision, "
        "or accept a larger loss"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """A promise about the samples to come, or why there is none.

    Attributes:
        kind: What is promised: "agreement", "harm" or "net" (see `decide.find_losses`).
        max_loss: The promise: at most this share of the answers is lost.
        confidence: With this probability over the choice of the calibration samples.
        status: "certified" or "refused".
        p_value: The p-value of the promised point, or of the safest one if the promise was refused.
        calibration_samples: The number of samples on which it was proved.
        margin: Share of `max_loss` that was held in reserve: what was proved is a loss of `(1 - margin) x max_loss`.
        refusal: Why nothing is promised, or None.
        remedy: What would help, in words, or None.
    """

    kind: Kind
    max_loss: float
    confidence: float
    status: Literal["certified", "refused"]
    p_value: float
    calibration_samples: int
    refusal: Refusal | None = None
    remedy: str | None = None
    margin: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The chosen operating point.

    Attributes:
        point: The chosen point, as measured on the tuning samples.
        evaluated: The same thresholds on the calibration samples, or None if there were none.
        guarantee: What is promised, or None if nothing was asked.
    """

    point: OperatingPoint
    evaluated: OperatingPoint | None = None
    guarantee: Guarantee | None = None

    @property
    def thresholds(self) -> tuple[float, ...]:
        """One per early exit."""
        return self.point.thresholds


def thresholds(
    frontier: Frontier,
    calibrate: Evidence,
    *,
    max_loss: float = 0.01,
    confidence: float = 0.95,
    kind: Kind = "agreement",
    margin: float = 0.0,
) -> Decision:
    """The cheapest point that provably loses at most `max_loss`.

    The points are tested on the calibration samples one after the other, from safest to cheapest, in an order fixed on
    the tuning samples; the first failure ends it and the last that passed is promised. If none passes, the decision
    is that nobody leaves early, and the guarantee says what would help.

    Args:
        frontier: A frontier that was drawn on the tuning samples.
        calibrate: Evidence of other samples, from the engine and precision that ships.
        max_loss: The accepted share of lost answers.
        confidence: Probability, over the calibration samples, with which the promise holds.
        kind: "agreement", "harm" or "net"; the last two need labels.
        margin: Share of the accepted loss to hold in reserve, from 0 to below 1: points are ordered, proven and refused
            as for `(1 - margin) x max_loss`, and what is promised of them is `max_loss`.

    Returns:
        The chosen point with its guarantee; nobody leaving early, and a refused guarantee, if no point could be proven.

    Raises:
        EvidenceError: A calibration sample was used to tune, or labels are needed and missing.
        OptionError: A limit or the margin is not between 0 and 1, or there is no such kind.

    Reference:
        Angelopoulos, Bates, Candes, Jordan, Lei, "Learn then Test", 2021, section 2.3 (fixed sequence testing).
    """
    check_target(max_loss, confidence)
    check_disjoint(frontier, calibrate)
    calibrate = calibrate.subset(np.random.default_rng(0).permutation(len(calibrate)))  # bets need a random order
    aim = aim_at(max_loss, margin)
    points = order_points(frontier, aim)
    losses = (find_losses(calibrate, point.thresholds, frontier.score, kind) for point in points)
    place, guarantee = prove(losses, len(calibrate), kind, max_loss=aim, confidence=confidence)
    if place < 0:
        guarantee = _refuse(guarantee, points[0], frontier, calibrate)
        guarantee = replace(guarantee, remedy=f"{guarantee.remedy}, or a smaller margin") if margin else guarantee
    guarantee = replace(guarantee, max_loss=max_loss, margin=margin)
    chosen = points[place] if place >= 0 else frontier.full
    evaluated = operate(calibrate, frontier.costs, chosen.thresholds, frontier.score)
    return Decision(point=chosen, evaluated=evaluated, guarantee=guarantee)


def prove(
    losses: Iterable[NDArray[np.int8]], samples: int, kind: Kind, *, max_loss: float, confidence: float
) -> tuple[int, Guarantee]:
    """Position of the last choice that passed, and what may be promised of it; -1 if none did: then see `refuse`.

    Args:
        losses: [S] of each choice in the order of testing, on the calibration samples.
        samples: How many those are.
        kind: What counts as a loss: "agreement", "harm" or "net", see `decide.find_losses`.
        max_loss: The accepted mean loss.
        confidence: The probability, over the choice of the calibration samples, with which the promise holds.

    Returns:
        The position of the last choice that passed, or -1, and the guarantee of it; a refused choice still needs
        `refuse`.
    """
    place, p = last_certified(losses, kind, max_loss=max_loss, confidence=confidence)
    guarantee = Guarantee(
        kind=kind, max_loss=max_loss, confidence=confidence, status="certified", p_value=p, calibration_samples=samples
    )
    return place, guarantee


def refuse(guarantee: Guarantee, refusal: Refusal, lost: int) -> Guarantee:
    """The refused promise, with what would help; too few samples come before any other reason.

    Args:
        guarantee: The guarantee by `prove`, which certified nothing.
        refusal: The reason, if there were samples enough.
        lost: The number of lost answers that the reason speaks of.

    Returns:
        The same guarantee, refused, with what would help.
    """
    needed, samples = needed_samples(guarantee.max_loss, guarantee.confidence), guarantee.calibration_samples
    refusal = Refusal.TOO_FEW_SAMPLES if samples < needed else refusal
    remedy = refusal.value.format(needed=needed, samples=samples, lost=lost, p=guarantee.p_value)
    return replace(guarantee, status="refused", refusal=refusal, remedy=remedy)


def _refuse(guarantee: Guarantee, safest: OperatingPoint, frontier: Frontier, calibrate: Evidence) -> Guarantee:
    """The refused promise: the safest point loses too much, or nobody leaving does."""
    lost, lost_by_all = (
        int(find_losses(calibrate, point.thresholds, frontier.score, guarantee.kind).sum())
        for point in (safest, frontier.full)
    )
    if lost_by_all > guarantee.max_loss * len(calibrate):
        return refuse(guarantee, Refusal.ALREADY_LOST, lost_by_all)
    return refuse(guarantee, Refusal.TOO_MANY_LOSSES, lost)


def budget(frontier: Frontier, relative_macs: float) -> Decision:
    """The best point that costs at most this share of the baseline, on the tuning samples; nothing is promised.

    Args:
        frontier: A frontier that was drawn on the tuning samples.
        relative_macs: The budget, as a share of the baseline's cost.

    Returns:
        The decision for the best point within the budget, without a guarantee.

    Raises:
        OptionError: The budget is not positive.
        CurveError: Even the cheapest point costs more.
    """
    if not relative_macs > 0:
        raise OptionError(f"relative_macs must be positive, but is {relative_macs}. For half the work give 0.5.")
    for point in frontier.points:
        if point.relative_macs <= relative_macs:
            return Decision(point=point)
    raise CurveError(
        f"a point must cost at most {relative_macs:g}, but the cheapest costs {frontier.points[-1].relative_macs:.3f}. "
        "Raise the budget, or place an exit earlier."
    )


def knee(frontier: Frontier) -> Decision:
    """The point at which paying more stops being worth it, on the tuning samples; nothing is promised.

    Args:
        frontier: A frontier that was drawn on the tuning samples.

    Returns:
        The decision for the point at the knee, without a guarantee.

    Raises:
        CurveError: The frontier has fewer than three points.
    """
    if len(frontier.points) < 3:
        raise CurveError(
            f"a knee needs a frontier of at least three points, but it has {len(frontier.points)}. "
            "Ask for a loss or a budget instead, or tune on more samples."
        )
    place = find_knee(frontier.macs[::-1], frontier.qualities[::-1])
    return Decision(point=frontier.points[::-1][place])
