"""DenseNet-121 for CIFAR."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.zoo._densenet import DenseLayer, densenet121


@pytest.mark.parametrize("growth", [12, 32])
def test_it_has_121_layers_and_the_channels_of_the_published_code(growth: int) -> None:
    network = densenet121(growth=growth)
    assert sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in network.modules()) == 121
    width = 2 * growth
    for count in (6, 12, 24):
        width = (width + count * growth) // 2
    assert network.linear.in_features == width + 16 * growth


def test_a_dense_layer_keeps_what_came_in_behind_what_is_new() -> None:
    x = torch.rand(2, 6, 4, 4)
    with torch.no_grad():
        given = DenseLayer(6, 3).eval()(x)
    assert given.shape == (2, 9, 4, 4)
    assert torch.equal(given[:, 3:], x)
