"""How the learning rate goes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.learn._schedule import learning_rate, rate_in_phases


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 500), st.sampled_from(["cosine", "step", "constant"]))
def test_the_rate_rises_to_its_peak_once_and_never_rises_again(total: int, schedule: str) -> None:
    rates = [learning_rate(step, total, schedule) for step in range(total)]  # type: ignore[arg-type]  # one of them
    top = rates.index(max(rates))
    assert max(rates) == 1.0
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_cosine_ends_near_nothing() -> None:
    assert learning_rate(999, 1000) < 1e-5


@pytest.mark.parametrize(("step", "expected"), [(49, 1.0), (50, 0.1), (75, 0.01), (99, 0.01)])
def test_step_falls_to_a_tenth_at_its_milestones(step: int, expected: float) -> None:
    assert learning_rate(step, 100, "step") == pytest.approx(expected)


def test_constant_stays() -> None:
    assert {learning_rate(step, 100, "constant") for step in range(5, 100)} == {1.0}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=3).filter(any), st.integers(1, 9))
def test_each_phase_is_a_training_of_its_own(phases: list[int], steps: int) -> None:
    rates = [
        rate_in_phases(epoch, step, steps=steps, phases=phases) for epoch in range(sum(phases)) for step in range(steps)
    ]
    assert rates == [learning_rate(step, epochs * steps) for epochs in phases for step in range(epochs * steps)]
