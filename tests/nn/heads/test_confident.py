"""Heads that say how sure they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.errors import OptionError
from offramp.nn.heads import ConfidentHead, HeadRecipe, build_head
from offramp.nn.heads._confident import add_confidence

PICTURE, TOKENS, VECTOR = (6, 10, 10), (7, 12), (9,)
KINDS = [
    *[(kind, PICTURE) for kind in ("auto", "light", "pool", "conv0", "conv1", "conv2", "conv3", "student", "layers")],
    *[(kind, TOKENS) for kind in ("auto", "pool")],
    *[(kind, VECTOR) for kind in ("auto", "conv2")],
]


@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_every_kind_can_give_logits_and_confidence(kind: str, shape: tuple[int, ...]) -> None:
    head = build_head(HeadRecipe(kind, confidence=True), shape, 4)
    logits, confidence = head(torch.randn(3, *shape))
    assert (logits.shape, confidence.shape) == ((3, 4), (3,))


def test_the_two_layers_read_the_same_features() -> None:
    head = build_head(HeadRecipe("pool", confidence=True), PICTURE, 4)
    assert isinstance(head, ConfidentHead)
    features = torch.randn(3, *PICTURE)
    logits, confidence = head(features)
    mean = features.mean(dim=(2, 3))
    torch.testing.assert_close(logits, head.classifier(mean))
    torch.testing.assert_close(confidence, mean @ head.confidence.weight[0] + head.confidence.bias)


def test_it_costs_one_linear_layer_more() -> None:
    plain, confident = (
        build_head(HeadRecipe("conv1", **options), PICTURE, 4) for options in ({}, {"confidence": True})
    )
    more = sum(w.numel() for w in confident.parameters()) - sum(w.numel() for w in plain.parameters())
    assert more == 6 + 1


def test_the_text_of_a_recipe_turns_it_on_and_off() -> None:
    assert isinstance(build_head(HeadRecipe.parse("conv2:confidence=1"), PICTURE, 4), ConfidentHead)
    assert not isinstance(build_head(HeadRecipe.parse("conv2:confidence=0"), PICTURE, 4), ConfidentHead)
    assert isinstance(build_head(HeadRecipe.parse("pool:confidence=1,norm=1"), PICTURE, 4), ConfidentHead)


@pytest.mark.parametrize("value", [2, "yes", 0.5])
def test_other_values_are_refused(value: int | str | float) -> None:
    with pytest.raises(OptionError, match=r"'confidence': False.*1 is True"):
        build_head(HeadRecipe("conv2", confidence=value), PICTURE, 4)


def test_a_head_that_does_not_end_in_a_linear_layer_is_refused() -> None:
    with pytest.raises(OptionError, match="ends in ReLU"):
        add_confidence(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
