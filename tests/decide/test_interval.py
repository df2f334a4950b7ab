from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from offramp.decide import Kind, loss_interval, mean_interval, p_value
from offramp.decide._interval import share_interval
from offramp.errors import EvidenceError, OptionError


@given(lost=st.integers(0, 400), kept=st.integers(0, 400), confidence=st.floats(0.5, 0.999))
def test_the_limits_of_a_share_are_those_that_the_binomial_tests_just_refuse(
    lost: int, kept: int, confidence: float
) -> None:
    samples = lost + kept + 1
    low, high = share_interval(lost, samples, confidence)
    side = (1 - confidence) / 2
    assert low <= lost / samples <= high
    assert lost == 0 or binom.sf(lost - 1, samples, low) == pytest.approx(side, rel=1e-6)
    assert binom.cdf(lost, samples, high) == pytest.approx(side, rel=1e-6)


@given(losses=st.lists(st.integers(-1, 1), min_size=1, max_size=60))
def test_the_limits_of_a_net_loss_are_those_that_the_bets_just_refuse(losses: list[int]) -> None:
    array = np.array(losses, np.int8)
    low, high = loss_interval(array, "net", confidence=0.9)
    assert -1 <= low <= array.mean() <= high <= 1
    for limit, signed in ((high, array), (-low, -array)):
        if limit < 0.999:
            assert p_value(signed, "net", max_loss=limit + 1e-5, confidence=0.95) <= 0.05
            assert p_value(signed, "net", max_loss=limit - 1e-5, confidence=0.95) >= 0.05 - 1e-3


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
@pytest.mark.parametrize(("lost", "won"), [(0.01, 0.0), (0.04, 0.02)])
def test_the_true_loss_lies_inside_as_often_as_said(kind: Kind, lost: float, won: float) -> None:
    random = np.random.default_rng(3)
    gains = won if kind == "net" else 0.0
    draws = random.choice([1, -1, 0], size=(400, 500), p=[lost, gains, 1 - lost - gains]).astype(np.int8)
    limits = np.array([loss_interval(losses, kind, confidence=0.9) for losses in draws])
    outside = np.mean((limits[:, 0] > lost - gains) | (limits[:, 1] < lost - gains))
    assert outside <= binom.ppf(0.999, 400, 0.1) / 400


def test_more_samples_say_more() -> None:
    few, many = (loss_interval(np.array([1] + [0] * 49, np.int8).repeat(times), "harm") for times in (1, 20))
    assert few[0] < many[0] < 0.02 < many[1] < few[1]


def test_no_losses_are_refused() -> None:
    with pytest.raises(EvidenceError, match="at least one"):
        loss_interval(np.zeros(0, np.int8), "agreement")


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_a_confidence_that_is_no_share_is_refused(confidence: float) -> None:
    with pytest.raises(OptionError, match="between 0 and 1"):
        loss_interval(np.zeros(9, np.int8), "net", confidence=confidence)


def test_a_mean_lies_in_its_interval_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    limits = [
        mean_interval(random.choice([-1.0, 0.0, 1.0], 500, p=[0.1, 0.7, 0.2]), confidence=0.9) for _ in range(400)
    ]
    missed = sum(not low <= 0.1 <= high for low, high in limits)
    assert binom.ppf(0.005, 400, 0.1) <= missed <= binom.ppf(0.995, 400, 0.1)


def test_one_value_has_no_interval() -> None:
    with pytest.raises(EvidenceError, match="two values"):
        mean_interval(np.zeros(1))
