from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from evidences import make_costs, make_evidence
from offramp import decide
from offramp.decide import Kind, Refusal
from offramp.errors import CurveError, EvidenceError, OptionError
from offramp.measure import Evidence, Frontier, frontier, operate

SEEN = make_evidence(3000, 3)
TUNE, CALIBRATE = SEEN.subset(slice(0, 1000)), SEEN.subset(slice(1000, 3000))
COSTS = make_costs(3)


@pytest.fixture(scope="module")
def drawn() -> Frontier:
    return frontier(TUNE, COSTS, score="max_probability")


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
def test_a_certified_point_saves_work_and_keeps_its_promise_on_calibrate(drawn: Frontier, kind: Kind) -> None:
    made = decide.thresholds(drawn, CALIBRATE, max_loss=0.02, kind=kind)
    assert made.guarantee is not None
    assert made.evaluated is not None
    assert (made.guarantee.status, made.guarantee.remedy) == ("certified", None)
    assert made.guarantee.p_value <= 0.05
    assert made.guarantee.calibration_samples == 2000
    assert made.evaluated == operate(CALIBRATE, COSTS, made.thresholds, "max_probability")
    assert made.evaluated.relative_macs < 0.7
    assert decide.find_losses(CALIBRATE, made.thresholds, "max_probability", kind).mean() < 0.02


def test_a_larger_accepted_loss_never_costs_more(drawn: Frontier) -> None:
    costs = [decide.thresholds(drawn, CALIBRATE, max_loss=loss).point.macs for loss in (0.01, 0.02, 0.05, 0.1)]
    assert costs == sorted(costs, reverse=True)


def _refusal(made: decide.Decision) -> tuple[Refusal | None, str]:
    assert made.guarantee is not None
    assert made.guarantee.status == "refused"
    assert made.point.exit_rates[-1] == 1
    return made.guarantee.refusal, made.guarantee.remedy or ""


def test_too_few_samples_are_told_how_many_are_needed(drawn: Frontier) -> None:
    refusal, remedy = _refusal(decide.thresholds(drawn, CALIBRATE.subset(slice(0, 200))))
    assert refusal is Refusal.TOO_FEW_SAMPLES
    assert "at least 299 calibration samples, has 200" in remedy


def _with_reference(evidence: Evidence, share: float) -> Evidence:
    """Another original network, from which the final exit differs in this share of the samples."""
    changed = evidence.reference.copy()
    changed[: round(share * len(changed))] += 1
    return replace(evidence, reference=changed)


def test_a_network_that_lost_its_answers_before_is_told_so(drawn: Frontier) -> None:
    refusal, remedy = _refusal(decide.thresholds(drawn, _with_reference(CALIBRATE, 0.05)))
    assert refusal is Refusal.ALREADY_LOST
    assert "precision" in remedy


def test_a_safest_point_that_loses_too_much_is_told_so(drawn: Frontier) -> None:
    refusal, remedy = _refusal(decide.thresholds(drawn, _with_reference(CALIBRATE, 0.009)))
    assert refusal is Refusal.TOO_MANY_LOSSES
    assert "p-value" in remedy


def test_proving_on_tuning_samples_is_refused(drawn: Frontier) -> None:
    with pytest.raises(EvidenceError, match="100 ids are in both"):
        decide.thresholds(drawn, SEEN.subset(slice(900, 3000)))


@pytest.mark.parametrize(("max_loss", "confidence"), [(0.0, 0.95), (1.0, 0.95), (0.01, 95.0)])
def test_limits_that_are_no_shares_are_refused(drawn: Frontier, max_loss: float, confidence: float) -> None:
    with pytest.raises(OptionError, match="between 0 and 1"):
        decide.thresholds(drawn, CALIBRATE, max_loss=max_loss, confidence=confidence)


def test_the_order_of_the_calibration_samples_is_not_theirs_to_choose(drawn: Frontier) -> None:
    worst_last = np.argsort(CALIBRATE.scores["entropy"][:, 0])
    made = [
        decide.thresholds(drawn, one, max_loss=0.02, kind="net") for one in (CALIBRATE, CALIBRATE.subset(worst_last))
    ]
    assert made[0].point.relative_macs == pytest.approx(made[1].point.relative_macs, rel=0.2)


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
def test_fresh_calibration_sets_break_the_promise_no_more_than_promised(kind: Kind) -> None:
    """So many more samples than draws are nearly independent ones of known risk; 99 % of honest promises pass."""
    everything, costs, score = make_evidence(25_000, 2, seed=5), make_costs(2), "entropy"
    drawn = frontier(everything.subset(slice(0, 600)), costs, score=score, quality=decide.quality_for(kind))
    rest = everything.subset(slice(600, None))
    random = np.random.default_rng(1)
    chosen = []
    for _ in range(200):
        calibrate = rest.subset(random.choice(len(rest), 700, replace=False))
        chosen.append(decide.thresholds(drawn, calibrate, max_loss=0.03, kind=kind).thresholds)
    loss = {one: decide.find_losses(rest, one, score, kind).mean() for one in set(chosen)}
    assert np.mean([loss[one] > 0.03 for one in chosen]) <= binom.ppf(0.99, 200, 0.05) / 200
    assert np.mean([loss[one] > 0 for one in chosen]) > 0.9  # and not by refusing


@pytest.mark.parametrize("share", [0.4, 0.7, 2.0])
def test_a_budget_is_kept_and_used(drawn: Frontier, share: float) -> None:
    point = decide.budget(drawn, share).point
    assert point.relative_macs <= share
    assert not any(point.macs < other.macs <= share * COSTS.baseline for other in drawn.points)


def test_a_budget_below_the_first_exit_is_refused(drawn: Frontier) -> None:
    with pytest.raises(CurveError, match="cheapest costs"):
        decide.budget(drawn, 0.01)


def test_a_budget_of_nothing_is_refused(drawn: Frontier) -> None:
    with pytest.raises(OptionError, match="positive"):
        decide.budget(drawn, 0.0)


def test_the_knee_lies_between_the_ends(drawn: Frontier) -> None:
    made = decide.knee(drawn)
    assert made.guarantee is None
    assert drawn.points[0].macs > made.point.macs > drawn.points[-1].macs


def test_a_frontier_without_a_bend_says_what_to_ask_instead() -> None:
    with pytest.raises(CurveError, match="loss or a budget"):
        decide.knee(frontier(make_evidence(20, 0), make_costs(0), score="entropy"))


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
def test_no_margin_is_the_identity(drawn: Frontier, kind: Kind) -> None:
    plain, none = (
        decide.thresholds(drawn, CALIBRATE, max_loss=0.02, kind=kind, **more) for more in ({}, {"margin": 0.0})
    )
    assert plain == none


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
@pytest.mark.parametrize("margin", [0.1, 0.5])
def test_a_margin_chooses_as_for_less_and_promises_the_whole(drawn: Frontier, kind: Kind, margin: float) -> None:
    kept = decide.thresholds(drawn, CALIBRATE, max_loss=0.03, kind=kind, margin=margin)
    less = decide.thresholds(drawn, CALIBRATE, max_loss=0.03 * (1 - margin), kind=kind)
    assert kept.guarantee is not None
    assert less.guarantee is not None
    assert kept.point == less.point
    assert kept.guarantee == replace(less.guarantee, max_loss=0.03, margin=margin)


def test_a_margin_that_asks_too_much_is_told_beside_the_samples(drawn: Frontier) -> None:
    refusal, remedy = _refusal(decide.thresholds(drawn, CALIBRATE.subset(slice(0, 400)), margin=0.5))
    assert refusal is Refusal.TOO_FEW_SAMPLES
    assert "at least 598 calibration samples, has 400" in remedy
    assert remedy.endswith("or a smaller margin")


@pytest.mark.parametrize("margin", [-0.1, 1.0, float("nan")])
def test_a_margin_beyond_its_range_is_refused(drawn: Frontier, margin: float) -> None:
    with pytest.raises(OptionError, match="margin"):
        decide.thresholds(drawn, CALIBRATE, margin=margin)


@pytest.mark.parametrize("kind", ["agreement", "harm"])
def test_with_a_margin_test_samples_exceed_the_promise_more_rarely(kind: Kind) -> None:
    """Many calibration samples bring the loss close to the promise, and 300 test samples are off by chance."""
    seen = make_evidence(9000, 1, seed=3)
    drawn = frontier(seen.subset(slice(0, 1000)), make_costs(1), score="max_probability", quality=kind)  # type: ignore[arg-type]  # one of its words
    rest, draws = seen.subset(slice(1000, 9000)), 40
    above = dict.fromkeys((0.0, 0.4), 0)
    for margin in above:
        random = np.random.default_rng(0)
        for _ in range(draws):
            order = random.permutation(8000)
            made = decide.thresholds(drawn, rest.subset(order[:4000]), max_loss=0.02, kind=kind, margin=margin)
            test = rest.subset(order[4000:4300])
            above[margin] += decide.find_losses(test, made.thresholds, "max_probability", kind).mean() > 0.02
    assert above[0.0] >= 0.1 * draws
    assert above[0.4] <= above[0.0] / 3
