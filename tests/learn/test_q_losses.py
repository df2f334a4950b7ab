"""What control nodes learn from a reward."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from offramp.learn._q_losses import control_losses, regular_loss


def test_alone_each_sample_has_its_own_squared_error() -> None:
    values, reward = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([1.0, 1.0, 0.0])
    loss = control_losses(values, torch.ones(1, 3, dtype=torch.bool), reward)
    assert loss.item() == pytest.approx((1 + 0.25 + 1) / 3)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 99))
def test_in_a_mini_bag_all_samples_share_one_residual(bags: int, size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(1, bags * size, generator=generator, requires_grad=True)
    reward = torch.rand(bags, generator=generator)
    control_losses(values, torch.ones(1, bags * size, dtype=torch.bool), reward).sum().backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    assert values.grad is not None
    residual = reward - values.detach().view(bags, size).mean(dim=1)
    expected = (-2 * residual / (bags * size)).repeat_interleave(size)
    torch.testing.assert_close(values.grad[0], expected)


def test_a_node_that_did_not_run_learns_nothing_and_the_others_stand_in_for_it() -> None:
    values = torch.tensor([[0.25, 0.75], [0.5, 0.0]], requires_grad=True)
    ran = torch.tensor([[True, True], [True, False]])
    losses = control_losses(values, ran, torch.tensor([1.0]))
    second = 1 - (0.5 + 0.75) / 2  # the first node's 0.75 stands in
    torch.testing.assert_close(losses, torch.tensor([0.25, second**2]))
    losses[1].backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    assert values.grad is not None
    torch.testing.assert_close(values.grad, torch.tensor([[0.0, 0.0], [-second, 0.0]]))


def test_a_node_that_never_ran_has_no_loss() -> None:
    losses = control_losses(torch.ones(1, 4), torch.zeros(1, 4, dtype=torch.bool), torch.zeros(2))
    assert losses.tolist() == [0.0]


def test_class_scores_taken_as_action_values_learn_what_each_class_earns() -> None:
    logits, right = torch.tensor([[1.0, 0.0], [0.5, 0.0]]), torch.tensor([0, 1])
    assert regular_loss(logits, right, "q").item() == pytest.approx((0.25 + 1) / 2)


def test_taken_as_logits_they_have_the_usual_loss() -> None:
    logits, right = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    expected = torch.nn.functional.cross_entropy(logits, right)
    torch.testing.assert_close(regular_loss(logits, right, "cross_entropy"), expected)
