"""The loop, its loss and its schedule."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.learn._training import distillation_loss, learning_rate


def test_the_loss_is_zero_where_both_answer_the_same() -> None:
    logits = torch.randn(4, 5)
    assert float(distillation_loss(logits + 3, logits, 2.0)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_the_loss_is_the_formula(temperature: float) -> None:
    torch.manual_seed(0)
    logits, teacher = torch.randn(4, 5), torch.randn(4, 5)
    p, q = (teacher / temperature).softmax(1), (logits / temperature).softmax(1)
    expected = temperature**2 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(distillation_loss(logits, teacher, temperature), expected)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 500))
def test_the_rate_rises_to_its_peak_once_and_falls_to_almost_nothing(total: int) -> None:
    rates = [learning_rate(step, total) for step in range(total)]
    top = rates.index(max(rates))
    assert max(rates) == 1.0
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
