"""How many tokens a network knows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import networks
from offramp.attach._vocabulary import find_vocabulary
from offramp.capture import capture

pytestmark = pytest.mark.tracing


@pytest.mark.parametrize(("name", "rows"), [("hf_bert", 90), ("recurrent", 9), ("mlp", None)])
def test_it_is_the_size_of_the_table_that_the_first_input_is_looked_up_in(
    name: str, rows: int | None, vision: Any
) -> None:
    assert find_vocabulary(capture(*networks.make(name))) == rows


def test_layers_that_stay_layers_are_seen_too() -> None:
    net = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))
    assert find_vocabulary(capture(net, torch.zeros(2, 3, dtype=torch.int64))) == 7
