"""EENet's exit."""

from __future__ import annotations

import torch
from torch import nn

from offramp.nn.heads import HeadRecipe, build_head


def test_it_is_a_linear_layer_on_the_mean() -> None:
    head, features = build_head(HeadRecipe("pool"), (6, 5, 5), 4), torch.randn(2, 6, 5, 5)
    torch.testing.assert_close(head(features), head.classifier(features.mean((2, 3))))  # type: ignore[operator]  # as it is at run time


def test_normalization_is_optional_and_learns() -> None:
    head = build_head(HeadRecipe("pool", norm=True), (6, 5, 5), 4)
    assert [type(layer) for layer in head][1:] == [nn.BatchNorm1d, nn.Linear]  # type: ignore[attr-defined]  # known here
    assert len(list(head.parameters())) == 4


def test_the_head_for_tokens_takes_their_mean() -> None:
    head, tokens = build_head(HeadRecipe("pool", norm=True), (5, 6), 4).eval(), torch.randn(2, 5, 6)
    expected = head.classifier(head.norm(tokens.mean(1)))  # type: ignore[operator]  # as it is at run time
    torch.testing.assert_close(head(tokens), expected)
    torch.testing.assert_close(head(tokens, torch.ones(2, 5)), expected)
