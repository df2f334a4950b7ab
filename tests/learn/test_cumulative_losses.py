"""The losses of EENet and PTEEnet."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy, one_hot

from offramp.learn._cumulative_losses import CumulativeLoss, ExitOutputs, cumulative_losses, mix_answers, mix_costs

COSTS = torch.tensor([0.2, 0.5, 1.1], dtype=torch.float64)
seeds = st.integers(0, 10_000)
exits = st.integers(1, 6)


def say(seed: int = 0, early: int = 2, rows: int = 6, classes: int = 4, price: float = 0.7) -> ExitOutputs:
    random = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
    return ExitOutputs(
        log=(2 * draw(early + 1, rows, classes)).log_softmax(-1),
        odds=draw(early, rows).requires_grad_(),
        targets=one_hot(torch.randint(classes, (rows,), generator=random), classes).double(),
        costs=COSTS if early == 2 else torch.linspace(0.1, 1.2, early + 1, dtype=torch.float64),
        price=price,
    )


def plain_mix(h: torch.Tensor, last_first: list[torch.Tensor]) -> list[torch.Tensor]:
    """The recursion as published, on plain numbers."""
    mixed = [last_first[-1]]
    for confidence, value in list(zip(h, last_first[:-1], strict=True))[::-1]:
        mixed.append(confidence * value + (1 - confidence) * mixed[-1])
    return mixed[::-1]


@settings(deadline=None, max_examples=40)
@given(seeds, exits)
def test_mixed_answers_are_the_published_recursion_and_probabilities(seed: int, early: int) -> None:
    outputs = say(seed, early)
    mixed = mix_answers(outputs.log, outputs.odds).exp()
    expected = plain_mix(outputs.odds.sigmoid()[:, :, None], list(outputs.log.exp()))
    torch.testing.assert_close(mixed, torch.stack(expected))
    torch.testing.assert_close(mixed.sum(-1), torch.ones_like(mixed[..., 0]))


@settings(deadline=None, max_examples=40)
@given(seeds, exits)
def test_mixed_costs_are_the_published_recursion_and_lie_between_the_costs(seed: int, early: int) -> None:
    outputs = say(seed, early)
    mixed = mix_costs(outputs.costs, outputs.odds)
    expected = plain_mix(outputs.odds.sigmoid(), list(outputs.costs[:, None].expand(-1, 6)))
    torch.testing.assert_close(mixed, torch.stack(expected))
    for at, cost in enumerate(outputs.costs):
        assert bool((mixed[at] >= cost - 1e-12).all())
        assert bool((mixed[at] <= outputs.costs[-1] + 1e-12).all())


def test_a_sure_exit_answers_alone_and_a_doubtful_one_passes_on() -> None:
    outputs = say()
    odds = torch.stack([torch.full((6,), -1e4), torch.full((6,), 1e4)]).double()
    torch.testing.assert_close(mix_answers(outputs.log, odds)[0], outputs.log[1])
    torch.testing.assert_close(mix_costs(COSTS, odds)[0], COSTS[1].expand(6))


def test_probabilities_that_underflow_give_finite_losses_and_gradients() -> None:
    log = torch.stack([torch.tensor([[1e4, -1e4]]), torch.tensor([[-1e4, 1e4]])]).requires_grad_()
    odds = torch.tensor([[200.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 1.0]])
    outputs = ExitOutputs(
        log=log.log_softmax(-1), odds=odds, targets=targets, costs=torch.tensor([0.1, 1.0]), price=1.0
    )
    loss = cumulative_losses(outputs, "v2").sum()
    loss.backward()
    assert bool(loss.isfinite())
    assert bool(odds.grad.isfinite().all())
    assert float(odds.grad) > 0  # a step down the gradient makes the wrong exit less sure
    assert bool(log.grad.isfinite().all())


def nll(probability: torch.Tensor, outputs: ExitOutputs) -> torch.Tensor:
    return -(probability * outputs.targets).sum(-1).log()


def test_v2_is_equation_4() -> None:
    outputs = say()
    answers = plain_mix(outputs.odds.sigmoid()[:, :, None], list(outputs.log.exp()))
    costs = plain_mix(outputs.odds.sigmoid(), list(outputs.costs[:, None].expand(-1, 6)))
    expected = [nll(answers[at], outputs).mean() + 0.7 * costs[at].mean() for at in range(2)]
    torch.testing.assert_close(cumulative_losses(outputs, "v2"), torch.stack(expected))


def test_v1_is_the_first_term_of_v2() -> None:
    outputs = say()
    torch.testing.assert_close(cumulative_losses(outputs, "v1"), cumulative_losses(outputs, "v2")[:1])


def test_v0_trains_each_head_alone_and_no_confidence() -> None:
    outputs = say()
    given_ = cumulative_losses(outputs, "v0")
    torch.testing.assert_close(given_, torch.stack([nll(outputs.log[at].exp(), outputs).mean() for at in range(2)]))
    assert not given_.requires_grad


def test_v3_weighs_every_exit_by_its_share_of_the_mean_confidence() -> None:
    outputs = say()
    sure = torch.cat([outputs.odds.sigmoid().mean(1), torch.ones(1)])
    own = torch.stack([nll(outputs.log[at].exp(), outputs).mean() + 0.7 * COSTS[at] for at in range(3)])
    torch.testing.assert_close(cumulative_losses(outputs, "v3"), sure / sure.sum() * own)


def test_v4_teaches_each_confidence_the_tags_with_both_classes_weighing_the_same() -> None:
    outputs = say()
    own = torch.stack([nll(outputs.log[at].exp(), outputs) + 0.7 * COSTS[at] for at in range(3)])
    for at, term in enumerate(cumulative_losses(outputs, "v4")):
        member = (own.argmin(0) == at).double()
        weight = member * (1 - member.mean()) + (1 - member) * member.mean()
        sure = binary_cross_entropy(outputs.odds[at].sigmoid(), member, weight)
        torch.testing.assert_close(term, (member * own[at]).mean() + sure)


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from(get_args(CumulativeLoss)))
def test_a_loss_knows_samples_not_places_in_a_batch(seed: int, loss: CumulativeLoss) -> None:
    outputs = say(seed)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    other = ExitOutputs(
        log=outputs.log[:, order], odds=outputs.odds[:, order], targets=outputs.targets[order], costs=COSTS, price=0.7
    )
    torch.testing.assert_close(cumulative_losses(other, loss), cumulative_losses(outputs, loss))


@pytest.mark.parametrize("loss", ["v1", "v2", "v4"])
def test_a_higher_price_makes_the_first_exit_surer(loss: CumulativeLoss) -> None:
    def step(price: float) -> float:
        outputs = say(rows=64, price=price)
        cumulative_losses(outputs, loss).sum().backward()
        return float(outputs.odds.grad[0].mean())

    assert step(50.0) < step(0.0)  # the gradient falls: a step down it raises the confidence
