"""The head that is written down layer by layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.errors import OptionError
from offramp.nn.heads import HeadRecipe, build_head


def test_its_layers_are_those_of_the_table_and_a_linear_layer() -> None:
    head = build_head(HeadRecipe.parse("layers:pool 2 | relu | conv 3x3 10 pad 1 | pool 2 | relu"), (5, 30, 30), 10)
    kinds = [type(layer) for layer in head.children()]
    assert kinds == [nn.MaxPool2d, nn.ReLU, nn.Conv2d, nn.MaxPool2d, nn.ReLU, nn.Flatten, nn.Linear]
    assert head(torch.rand(2, 5, 30, 30)).shape == (2, 10)


def test_without_a_table_it_is_the_linear_layer_alone() -> None:
    head = build_head(HeadRecipe("layers"), (9,), 4)
    assert [type(layer) for layer in head.children()] == [nn.Linear]


def test_it_reads_maps_with_channels_last() -> None:
    head = build_head(HeadRecipe("layers", table="conv 3x3 4"), (8, 8, 5), 3)
    assert head(torch.rand(2, 8, 8, 5)).shape == (2, 3)
    assert "conv1.weight" in head.state_dict()


def test_it_cannot_read_tokens() -> None:
    with pytest.raises(OptionError, match="cannot read features"):
        build_head(HeadRecipe("layers", table="relu"), (7, 12), 3)


def test_a_table_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OptionError, match="does not fit features"):
        build_head(HeadRecipe("layers", table="conv 9x9 4"), (3, 8, 8), 3)
