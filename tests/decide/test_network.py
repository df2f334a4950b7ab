"""Which of several networks to ship."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from offramp import decide
from offramp.decide import Kind, Refusal
from offramp.errors import CurveError, EvidenceError, OptionError
from offramp.measure import RouteEvidence

LOSSES, COSTS = (0.0, 0.004, 0.02, 0.1, 0.005), (90.0, 60.0, 40.0, 20.0, 95.0)  # the last is beaten


def make(count: int, *, seed: int = 0, first: int = 0, losses: tuple[float, ...] = LOSSES) -> list[RouteEvidence]:
    """Networks that change answers at these rates, about the same samples; the reference is always right."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 5, count)
    return [
        RouteEvidence(
            ids=np.arange(first, first + count),
            predictions=np.where(random.random(count) < loss, (truth + 1) % 5, truth),
            route=np.zeros((count, 1), np.int64),
            macs=np.full(count, cost),
            baseline_macs=100.0,
            reference=truth,
            labels=truth,
        )
        for loss, cost in zip(losses, COSTS, strict=True)
    ]


TUNE, CALIBRATE = make(2000), make(4000, seed=1, first=5000)


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
@pytest.mark.parametrize(("loss", "place"), [(0.01, 1), (0.03, 2), (0.2, 3)])
def test_the_cheapest_network_that_keeps_the_promise_is_chosen(kind: Kind, loss: float, place: int) -> None:
    made = decide.network(TUNE, CALIBRATE, max_loss=loss, kind=kind)
    assert (made.place, made.order) == (place, (0, 1, 2, 3))
    assert made.guarantee is not None
    assert (made.guarantee.status, made.guarantee.remedy) == ("certified", None)
    assert made.guarantee.calibration_samples == 4000


def test_the_promise_is_broken_as_rarely_as_promised() -> None:
    true = (0.004, 0.008, 0.011, 0.014, 0.02)  # the third breaks a promise of one percent
    tune = make(2000, losses=true)
    places = [decide.network(tune, make(1500, seed=seed, first=5000, losses=true)).place or 0 for seed in range(1, 201)]
    broken = sum(true[place] > 0.01 for place in places)
    assert broken <= 20  # 5 % of 200, and three standard deviations
    assert max(places) > 0


def test_one_failure_ends_the_tests_also_before_a_network_that_would_pass() -> None:
    bad = [CALIBRATE[3], *CALIBRATE[1:]]
    made = decide.network(TUNE, bad, max_loss=0.05)
    assert made.place is None
    assert made.guarantee is not None
    assert made.guarantee.refusal is Refusal.UNSAFE_NETWORK


def test_too_few_samples_are_told_how_many_are_needed() -> None:
    made = decide.network(TUNE, [one.subset(slice(0, 200)) for one in CALIBRATE])
    assert made.guarantee is not None
    assert made.guarantee.refusal is Refusal.TOO_FEW_SAMPLES
    assert "at least 299 calibration samples, has 200" in (made.guarantee.remedy or "")


@pytest.mark.parametrize(("budget", "place"), [(1.0, 0), (0.6, 1), (0.59, 2), (0.2, 3)])
def test_the_best_network_within_a_budget_is_chosen(budget: float, place: int) -> None:
    made = decide.network_in_budget(TUNE, budget)
    assert (made.place, made.guarantee) == (place, None)


def test_a_budget_that_nothing_fits_is_refused() -> None:
    with pytest.raises(CurveError, match=r"at most 0.1, but the cheapest costs 0.200"):
        decide.network_in_budget(TUNE, 0.1)
    with pytest.raises(OptionError, match="must be positive"):
        decide.network_in_budget(TUNE, 0)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(EvidenceError, match=r"that of \[4, 5\]"):
        decide.network(TUNE, CALIBRATE[1:])
    with pytest.raises(EvidenceError, match=r"that of \[0\]"):
        decide.network([], [])
    with pytest.raises(EvidenceError, match="ids differ"):
        decide.network(TUNE, [*CALIBRATE[1:], TUNE[0]])
    with pytest.raises(EvidenceError):
        decide.network(TUNE, TUNE)
    with pytest.raises(OptionError, match="max_loss"):
        decide.network(TUNE, CALIBRATE, max_loss=1.5)
    with pytest.raises(OptionError, match="agreement, harm or net"):
        decide.network(TUNE, CALIBRATE, kind="pain")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(EvidenceError, match="labels"):
        decide.network([replace(one, labels=None) for one in TUNE], CALIBRATE, kind="harm")
