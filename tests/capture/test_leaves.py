from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from offramp.capture._leaves import find_mode_dependent, is_layer, reads_training


class PaddedConvolution(nn.Conv2d):
    """A layer with a forward of its own."""


class Block(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1


class Moody(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x if self.training else 2 * x for _ in range(2)])


@pytest.mark.parametrize("layer", [nn.Linear(1, 1), nn.ReLU(), nn.MultiheadAttention(2, 1), PaddedConvolution(1, 1, 1)])
def test_a_layer_of_pytorch_and_what_inherits_from_one_stays_whole(layer: nn.Module) -> None:
    assert is_layer(layer)


@pytest.mark.parametrize("module", [nn.Sequential(), nn.ModuleList(), nn.ModuleDict(), Block()])
def test_containers_and_blocks_of_others_are_looked_into(module: nn.Module) -> None:
    assert not is_layer(module)


def test_a_forward_that_reads_the_training_mode_is_found_even_inside_a_comprehension() -> None:
    assert reads_training(Moody())
    assert not reads_training(Block())


def test_modules_that_work_differently_in_training_are_named() -> None:
    assert find_mode_dependent({"": ["call a"], "a": ["add"]}, {"": ["call a"], "a": ["mul"], "b": []}) == {"a", "b"}
