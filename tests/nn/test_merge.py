"""Layers that read several tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.nn import Join, Merge


@pytest.mark.parametrize(("join", "wanted"), [("sum", [[4.0, 6.0]]), ("concat", [[1.0, 2.0, 3.0, 4.0]])])
def test_what_is_read_is_joined_and_then_goes_through_the_layers(join: Join, wanted: list[list[float]]) -> None:
    given = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]])
    assert Merge(join, nn.Identity())(*given).tolist() == wanted
    assert Merge(join, nn.Flatten(0))(*given).tolist() == wanted[0]


def test_the_layers_keep_their_names() -> None:
    assert list(Merge("sum", nn.Sequential(nn.Linear(1, 1))).state_dict()) == ["layers.0.weight", "layers.0.bias"]
