"""The basic block of CIFAR ResNets."""

from __future__ import annotations

import torch
from torch.nn import functional

from offramp.nn import BasicBlock


def shortcut_of(block: BasicBlock, x: torch.Tensor) -> torch.Tensor:
    """What the block gives when its convolutions give nothing."""
    torch.nn.init.zeros_(block.bn2.weight)
    return block.eval()(x)  # type: ignore[no-any-return]  # layers and arrays tell no type


def test_a_shortcut_takes_every_second_pixel_and_pads_channels_on_both_sides() -> None:
    x = torch.rand(1, 16, 4, 4)
    out = shortcut_of(BasicBlock(16, 32, 2), x)
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2])
    assert not out[:, :8].any()
    assert not out[:, 24:].any()


def test_a_shortcut_may_put_new_channels_in_front_and_pools_as_the_published_code_does() -> None:
    x = torch.rand(2, 16, 15, 15)
    out = shortcut_of(BasicBlock(16, 32, 2, bias=True, zeros="front"), x)
    assert torch.equal(out[:, 16:], functional.avg_pool2d(x, 1, 2))
    assert out.shape == (2, 32, 8, 8)
    assert not out[:, :16].any()


def test_a_block_that_keeps_its_shape_adds_its_input() -> None:
    x = torch.rand(2, 4, 5, 5)
    assert torch.equal(shortcut_of(BasicBlock(4, 4, 1), x), x)
