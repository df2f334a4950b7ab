"""VGG-19 for CIFAR."""

from __future__ import annotations

import torch
from torch import nn

from offramp.zoo._vgg import vgg19


def test_it_is_configuration_e_with_batch_normalization() -> None:
    network = vgg19(7)
    widths = [layer.out_channels for layer in network if isinstance(layer, nn.Conv2d)]
    assert widths == [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network) == 16
    assert [layer.out_features for layer in network if isinstance(layer, nn.Linear)] == [512, 512, 7]


def test_five_pools_leave_one_pixel() -> None:
    pools = [at for at, layer in enumerate(vgg19()) if isinstance(layer, nn.MaxPool2d)]
    assert len(pools) == 5
    with torch.no_grad():
        assert vgg19()[: pools[-1] + 1].eval()(torch.rand(1, 3, 32, 32)).shape == (1, 512, 1, 1)
