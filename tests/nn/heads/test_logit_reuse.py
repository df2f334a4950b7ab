"""Heads that know what earlier heads said."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import nn

from offramp.nn.heads import ConfidentHead, LogitReuseHead


def made(*, learned: bool = True) -> LogitReuseHead:
    torch.manual_seed(0)
    reusing = LogitReuseHead(nn.Linear(8, 3), 3)
    if learned:
        nn.init.normal_(reusing.weight)
    return reusing


FEATURES = torch.rand(5, 8, generator=torch.Generator().manual_seed(1))
SAID = tuple(torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(3))


@pytest.mark.parametrize("earlier", [0, 1, 3])
def test_it_starts_as_the_plain_head(earlier: int) -> None:
    reusing = made(learned=False)
    assert torch.equal(reusing(FEATURES, *SAID[:earlier]), reusing.head(FEATURES))


def test_without_earlier_heads_it_answers_alone() -> None:
    reusing = made()
    assert torch.equal(reusing(FEATURES), reusing.head(FEATURES))
    assert not torch.allclose(reusing(FEATURES, SAID[0]), reusing.head(FEATURES), atol=0.1)


def test_the_order_of_the_earlier_heads_does_not_matter() -> None:
    reusing = made()
    for order in permutations(SAID):
        torch.testing.assert_close(reusing(FEATURES, *order), reusing(FEATURES, *SAID))


def test_only_what_they_say_counts_not_the_scale_of_their_logits() -> None:
    reusing = made()
    torch.testing.assert_close(reusing(FEATURES, SAID[0] + 7), reusing(FEATURES, SAID[0]))


def test_nothing_flows_back_into_the_earlier_heads() -> None:
    reusing, said = made(), SAID[0].clone().requires_grad_()
    reusing(FEATURES, said).sum().backward()
    assert said.grad is None
    assert reusing.weight.grad is not None
    assert all(parameter.grad is not None for parameter in reusing.head.parameters())


def test_making_one_draws_nothing() -> None:
    torch.manual_seed(3)
    head = nn.Linear(8, 3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    LogitReuseHead(nn.Linear(8, 3), 3)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(LogitReuseHead(head, 3).head.weight, head.weight)


def test_a_heads_confidence_stays_its_own() -> None:
    torch.manual_seed(0)
    head = ConfidentHead(nn.Identity(), nn.Linear(8, 3))
    reusing = LogitReuseHead(head, 3)
    nn.init.normal_(reusing.weight)
    alone, confidence = head(FEATURES)
    logits, given = reusing(FEATURES, *SAID)
    assert torch.equal(given, confidence)
    assert not torch.allclose(logits, alone, atol=0.1)
    torch.testing.assert_close(logits - alone, made_like(reusing)(FEATURES, *SAID) - made_like(reusing)(FEATURES))
    assert all(torch.equal(*pair) for pair in zip(reusing(FEATURES), (alone, confidence), strict=True))


def made_like(reusing: LogitReuseHead) -> LogitReuseHead:
    """Another head with the same correction."""
    other = made()
    other.load_state_dict({**other.state_dict(), "weight": reusing.weight})
    return other
