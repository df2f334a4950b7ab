"""PTEEnet's ConvX head."""

from __future__ import annotations

import pytest
from torch import nn

from offramp.nn.heads import HeadRecipe, build_head


@pytest.mark.parametrize("repeats", [0, 1, 2, 3])
def test_it_repeats_convolution_normalization_relu(repeats: int) -> None:
    layers = list(build_head(HeadRecipe(f"conv{repeats}"), (6, 8, 8), 4))  # type: ignore[call-overload]  # known here
    assert [type(layer) for layer in layers[:-2]] == repeats * [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]


def test_its_convolutions_keep_channels_and_size_and_have_no_bias() -> None:
    layer = build_head(HeadRecipe("conv1"), (6, 8, 8), 4)[0]  # type: ignore[index]  # known here
    assert (layer.in_channels, layer.out_channels, layer.padding, layer.stride) == (6, 6, (1, 1), (1, 1))
    assert layer.bias is None
