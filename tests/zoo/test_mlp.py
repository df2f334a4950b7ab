"""The small perceptron."""

from __future__ import annotations

import pytest
import torch

from offramp.zoo._mlp import mlp


@pytest.mark.parametrize(("hidden", "layers"), [((), 2), ((8,), 4), ((8, 4), 6)])
def test_hidden_widths_set_the_layers(hidden: tuple[int, ...], layers: int) -> None:
    network = mlp(3, features=6, hidden=hidden)
    assert len(network) == layers
    assert network(torch.zeros(2, 1, 2, 3)).shape == (2, 3)
