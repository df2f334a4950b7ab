"""Which of several networks, trained with different weights of compute: for a loss, or for a budget.

Shape letters: P networks, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offramp.errors import CurveError, EvidenceError, OptionError
from offramp.measure import RouteEvidence, check_disjoint

from ._decision import Guarantee, Refusal, prove, refuse
from ._loss import Kind, check_target, compare_answers


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDecision:
    """The chosen network.

    Attributes:
        place: Its position among those given; None if none may be promised: then keep the original.
        order: Positions of the networks that none beats on the tuning samples, safest first.
        guarantee: What is promised, or None if nothing was asked.
    """

    place: int | None
    order: tuple[int, ...]
    guarantee: Guarantee | None = None


def network(
    tune: Sequence[RouteEvidence],
    calibrate: Sequence[RouteEvidence],
    *,
    max_loss: float = 0.01,
    confidence: float = 0.95,
    kind: Kind = "agreement",
) -> NetworkDecision:
    """The cheapest network that provably loses at most `max_loss`: which lambda to ship.

    As `decide.thresholds` does with operating points: the order, from safest to cheapest, is fixed on the tuning
    samples; the networks are tested on the calibration samples one after the other, the first failure ends it, and the
    last that passed is promised.

    Args:
        tune: [P] evidence of each network, about the same samples.
        calibrate: [P] the same about other samples, from the engine and precision that ships.
        max_loss: The accepted share of lost answers.
        confidence: Probability, over the calibration samples, with which the promise holds.
        kind: "agreement", "harm" or "net"; the last two need labels.

    Returns:
        Which network to ship, and what is promised of it.

    Raises:
        EvidenceError: Not the same networks or samples everywhere, a calibration sample was used to tune, or labels are
            needed and missing.
        OptionError: A limit is not between 0 and 1, or there is no such kind.

    Reference:
        Angelopoulos, Bates, Candes, Jordan, Lei, "Learn then Test", 2021, section 2.3 (fixed sequence testing).
    """
    check_target(max_loss, confidence)
    _check(tune, calibrate)
    order = _order(tune, kind)
    shuffled = np.random.default_rng(0).permutation(len(calibrate[0]))  # bets need a random order
    losses = [_losses(calibrate[place], kind)[shuffled] for place in order]
    last, guarantee = prove(losses, len(shuffled), kind, max_loss=max_loss, confidence=confidence)
    if last < 0:
        refused = refuse(guarantee, Refusal.UNSAFE_NETWORK, int(losses[0].sum()))
        return NetworkDecision(place=None, order=order, guarantee=refused)
    return NetworkDecision(place=order[last], order=order, guarantee=guarantee)


def network_in_budget(
    tune: Sequence[RouteEvidence], relative_macs: float, *, kind: Kind = "agreement"
) -> NetworkDecision:
    """The best network that costs at most this share of the baseline, on the tuning samples; nothing is promised.

    Args:
        tune: [P] evidence of each network, about the same samples.
        relative_macs: The budget, as a share of the baseline's cost.
        kind: The kind of loss by which networks are ordered: "agreement", "harm" or "net".

    Returns:
        The best network within the budget, without a guarantee.

    Raises:
        EvidenceError: Not the same samples everywhere, or labels are needed and missing.
        OptionError: The budget is not positive, or there is no such kind.
        CurveError: Even the cheapest network costs more.
    """
    if not relative_macs > 0:
        raise OptionError(f"relative_macs must be positive, but is {relative_macs}. For half the work give 0.5.")
    _check(tune)
    order = _order(tune, kind)
    for place in order:
        if tune[place].relative_macs <= relative_macs:
            return NetworkDecision(place=place, order=order)
    cheapest = tune[order[-1]].relative_macs
    raise CurveError(
        f"a network must cost at most {relative_macs:g}, but the cheapest costs {cheapest:.3f}. Raise the budget, or "
        "train with a smaller lambda."
    )


def _losses(evidence: RouteEvidence, kind: Kind) -> NDArray[np.int8]:
    return compare_answers(evidence.predictions, evidence, kind)


def _order(tune: Sequence[RouteEvidence], kind: Kind) -> tuple[int, ...]:
    """Positions of those that none beats: each next one loses more and costs less."""
    losses, costs = [float(_losses(one, kind).mean()) for one in tune], [float(one.macs.mean()) for one in tune]
    front: list[int] = []
    for place in sorted(range(len(tune)), key=lambda at: (losses[at], costs[at])):
        if not front or costs[place] < costs[front[-1]]:
            front.append(place)
    return tuple(front)


def _check(*sets: Sequence[RouteEvidence]) -> None:
    counts = {len(one) for one in sets}
    if counts == {0} or len(counts) > 1:
        raise EvidenceError(
            f"each network must have evidence on every set of samples, but there is that of {sorted(counts)}. "
            "Give one per network, in the same order."
        )
    for evidence in sets:
        if any(not np.array_equal(one.ids, evidence[0].ids) for one in evidence):
            raise EvidenceError("networks must be compared on the same samples, but their ids differ. Measure again.")
    check_disjoint(*(evidence[0] for evidence in sets))
