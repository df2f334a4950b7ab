"""Heads that know what earlier heads said."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import nn

from offramp.nn.heads import Cascade, ConfidentHead


def made(*, learned: bool = True) -> Cascade:
    torch.manual_seed(0)
    cascade = Cascade(nn.Linear(8, 3), 3)
    if learned:
        nn.init.normal_(cascade.weight)
    return cascade


FEATURES = torch.rand(5, 8, generator=torch.Generator().manual_seed(1))
SAID = tuple(torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(3))


@pytest.mark.parametrize("earlier", [0, 1, 3])
def test_it_starts_as_the_plain_head(earlier: int) -> None:
    cascade = made(learned=False)
    assert torch.equal(cascade(FEATURES, *SAID[:earlier]), cascade.head(FEATURES))


def test_without_earlier_heads_it_answers_alone() -> None:
    cascade = made()
    assert torch.equal(cascade(FEATURES), cascade.head(FEATURES))
    assert not torch.allclose(cascade(FEATURES, SAID[0]), cascade.head(FEATURES), atol=0.1)


def test_the_order_of_the_earlier_heads_does_not_matter() -> None:
    cascade = made()
    for order in permutations(SAID):
        torch.testing.assert_close(cascade(FEATURES, *order), cascade(FEATURES, *SAID))


def test_only_what_they_say_counts_not_the_scale_of_their_logits() -> None:
    cascade = made()
    torch.testing.assert_close(cascade(FEATURES, SAID[0] + 7), cascade(FEATURES, SAID[0]))


def test_nothing_flows_back_into_the_earlier_heads() -> None:
    cascade, said = made(), SAID[0].clone().requires_grad_()
    cascade(FEATURES, said).sum().backward()
    assert said.grad is None
    assert cascade.weight.grad is not None
    assert all(parameter.grad is not None for parameter in cascade.head.parameters())


def test_making_one_draws_nothing() -> None:
    torch.manual_seed(3)
    head = nn.Linear(8, 3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    Cascade(nn.Linear(8, 3), 3)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(Cascade(head, 3).head.weight, head.weight)


def test_a_heads_confidence_stays_its_own() -> None:
    torch.manual_seed(0)
    head = ConfidentHead(nn.Identity(), nn.Linear(8, 3))
    cascade = Cascade(head, 3)
    nn.init.normal_(cascade.weight)
    alone, confidence = head(FEATURES)
    logits, given = cascade(FEATURES, *SAID)
    assert torch.equal(given, confidence)
    assert not torch.allclose(logits, alone, atol=0.1)
    torch.testing.assert_close(logits - alone, made_like(cascade)(FEATURES, *SAID) - made_like(cascade)(FEATURES))
    assert all(torch.equal(*pair) for pair in zip(cascade(FEATURES), (alone, confidence), strict=True))


def made_like(cascade: Cascade) -> Cascade:
    """Another head with the same correction."""
    other = made()
    other.load_state_dict({**other.state_dict(), "weight": cascade.weight})
    return other
