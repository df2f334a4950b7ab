"""All heads so far as one answer."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from offramp.nn.heads import Ensemble

HEADS, CLASSES = 4, 5
SAID = tuple(torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(seed)) for seed in range(HEADS))


def learned() -> Ensemble:
    torch.manual_seed(0)
    ensemble = Ensemble(HEADS, CLASSES)
    for parameter in ensemble.parameters():
        nn.init.normal_(parameter)
    return ensemble


def test_it_is_the_weighted_product_of_the_probabilities() -> None:
    ensemble = learned()
    powers = [said.softmax(1) ** a.exp() for said, a in zip(SAID, ensemble.log_weight, strict=True)]
    product = torch.stack(powers).prod(0) * ensemble.bias.exp()
    torch.testing.assert_close(ensemble(*SAID).softmax(1), product / product.sum(1, keepdim=True))


def test_it_starts_close_to_its_own_head() -> None:
    own, *earlier = Ensemble(HEADS, CLASSES).log_weight.exp().tolist()
    assert own == 1
    assert 0 < sum(earlier) < 0.5


def test_of_one_head_it_starts_as_that_head() -> None:
    torch.testing.assert_close(Ensemble(1, CLASSES)(SAID[0]).softmax(1), SAID[0].softmax(1))


@settings(deadline=None, max_examples=30)
@given(st.sets(st.integers(0, HEADS - 1), min_size=1).map(sorted))
def test_fewer_heads_keep_their_ratios_and_the_sum_of_all_weights(kept: list[int]) -> None:
    whole = learned()
    fewer = whole.keep(kept)
    before, after = whole.log_weight.exp(), fewer.log_weight.exp()
    torch.testing.assert_close(after / after[0], before[kept] / before[kept[0]])
    torch.testing.assert_close(after.sum(), before.sum())
    assert torch.equal(fewer.bias, whole.bias)


@settings(deadline=None, max_examples=30)
@given(st.sets(st.integers(0, HEADS - 1), min_size=1).map(sorted))
def test_where_all_say_the_same_nobody_is_missed(kept: list[int]) -> None:
    whole = learned()
    torch.testing.assert_close(whole.keep(kept)(*[SAID[0]] * len(kept)), whole(*[SAID[0]] * HEADS))
