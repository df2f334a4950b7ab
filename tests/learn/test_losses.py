"""What exits are compared with."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from examples import some
from offramp.learn._losses import distillation_loss, exit_losses, teaching_loss, weigh_by_ease


def make_logits(exits: int = 3, rows: int = 8, classes: int = 5) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {f"exit{at}": torch.randn(rows, classes, requires_grad=True) for at in range(exits)}


LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])


def test_the_distillation_is_zero_where_both_answer_the_same() -> None:
    logits = torch.randn(4, 5)
    torch.testing.assert_close(distillation_loss(logits + 3, logits, 2.0), torch.zeros(4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_the_distillation_is_the_formula(temperature: float) -> None:
    torch.manual_seed(0)
    logits, teacher = torch.randn(4, 5), torch.randn(4, 5)
    p, q = (teacher / temperature).softmax(1), (logits / temperature).softmax(1)
    expected = temperature**2 * (p * (p / q).log()).sum(1)
    torch.testing.assert_close(distillation_loss(logits, teacher, temperature), expected)


def test_without_distillation_each_exit_has_its_weighted_cross_entropy() -> None:
    logits = make_logits()
    losses = exit_losses(logits, LABELS, weights=(1.0, 0.5, 0.3))
    for weight, (name, given_) in zip((1.0, 0.5, 0.3), logits.items(), strict=True):
        torch.testing.assert_close(losses[name], weight * cross_entropy(given_, LABELS))


def test_with_all_distillation_labels_reach_only_the_final_exit() -> None:
    logits = make_logits()
    first = exit_losses(logits, LABELS, weights=(1.0, 1.0, 1.0), distill=1.0, temperature=2.0)
    other = exit_losses(logits, LABELS.flip(0), weights=(1.0, 1.0, 1.0), distill=1.0, temperature=2.0)
    torch.testing.assert_close(first["exit0"], other["exit0"])
    assert first["exit2"].item() != pytest.approx(other["exit2"].item())


def test_nothing_flows_into_the_final_exit_where_it_teaches() -> None:
    logits = make_logits()
    losses = exit_losses(logits, LABELS, weights=(1.0, 1.0, 1.0), distill=0.5, temperature=2.0, emphasis=0.5)
    (losses["exit0"] + losses["exit1"]).backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    assert logits["exit2"].grad is None


@settings(deadline=None, max_examples=some(50))
@given(st.integers(1, 6), st.floats(0, 0.99), st.integers(0, 1000))
def test_samples_count_one_on_average_and_never_less_than_nothing(exits: int, emphasis: float, seed: int) -> None:
    final = 4 * torch.randn(8, 5, generator=torch.Generator().manual_seed(seed))
    share = weigh_by_ease(final, LABELS, exits, emphasis)
    torch.testing.assert_close(share.mean(dim=1), torch.ones(exits))
    assert bool((share > 0).all())


def test_without_emphasis_all_samples_count_alike() -> None:
    assert bool((weigh_by_ease(torch.randn(8, 5), LABELS, 3, 0.0) == 1).all())


def test_easy_samples_count_most_at_the_first_exit_and_least_at_the_last() -> None:
    easy_then_hard = torch.zeros(2, 5)
    easy_then_hard[0, 0], easy_then_hard[1, 1] = 9.0, -9.0
    share = weigh_by_ease(easy_then_hard, LABELS[:2], 3, 0.5)
    assert float(share[0, 0]) > float(share[0, 1])
    assert float(share[1, 0]) == float(share[1, 1])
    assert float(share[2, 0]) < float(share[2, 1])


def test_hard_targets_are_the_teachers_answers_whatever_the_temperature() -> None:
    torch.manual_seed(0)
    logits, teacher = torch.randn(4, 5), torch.randn(4, 5)
    expected = -logits.log_softmax(1).gather(1, teacher.argmax(1)[:, None]).squeeze(1)
    for temperature in (1.0, 4.0):
        torch.testing.assert_close(teaching_loss(logits, teacher, "hard", temperature), expected)
    torch.testing.assert_close(teaching_loss(logits, 9 * teacher, "hard", 1.0), expected)


def test_soft_targets_are_distilled() -> None:
    torch.manual_seed(0)
    logits, teacher = torch.randn(4, 5), torch.randn(4, 5)
    assert torch.equal(teaching_loss(logits, teacher, "soft", 2.0), distillation_loss(logits, teacher, 2.0))
