"""Our default head for pictures."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from offramp.nn.heads import HeadRecipe, build_head

RESNET56_MACS = 125.5e6


@pytest.mark.parametrize("shape", [(16, 32, 32), (32, 16, 16), (64, 8, 8)])
def test_it_costs_less_than_a_hundredth_of_resnet56(shape: tuple[int, ...]) -> None:
    head = build_head(HeadRecipe("light"), shape, 10).eval()
    with FlopCounterMode(display=False) as counter:
        head(torch.zeros(1, *shape))
    assert counter.get_total_flops() / 2 < 0.01 * RESNET56_MACS


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 2, 2), (3, 1, 40), (8, 9, 17), (4, 56, 56), (1, 8, 8)])
def test_it_reads_maps_of_any_size(shape: tuple[int, ...]) -> None:
    assert build_head(HeadRecipe("light"), shape, 3)(torch.randn(2, *shape)).shape == (2, 3)


def test_width_and_blocks_make_it_larger() -> None:
    sizes = [
        sum(weight.numel() for weight in build_head(recipe, (16, 32, 32), 10).parameters())
        for recipe in (
            HeadRecipe("light", blocks=1),
            HeadRecipe("light", blocks=4),
            HeadRecipe("light", blocks=4, width=128),
        )
    ]
    assert sizes == sorted(sizes)
