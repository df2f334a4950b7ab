"""DenseNet-121 for CIFAR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LAYERS = (6, 12, 24, 16)  # of each block


class DenseLayer(nn.Module):
    """What came in, after `growth` new channels that a 1x1 and a 3x3 convolution compute from all of it.

    Args:
        width: Number of channels that come in.
        growth: Number of channels that the layer adds.
    """

    def __init__(self, width: int, growth: int) -> None:
        """Make the layers with random weights."""
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(width, 4 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layer on a batch.

        Args:
            x: Features [B, C, H, W].

        Returns:
            Features [B, growth + C, H, W], the new channels first.
        """
        out = self.conv1(self.relu1(self.bn1(x)))
        out = self.conv2(self.relu2(self.bn2(out)))
        return torch.cat([out, x], dim=1)


class DenseNet(nn.Module):
    """Four blocks of 6, 12, 24 and 16 dense layers, and between two of them half the channels and half the side.

    Args:
        growth: Number of channels that each dense layer adds.
        classes: Number of classes, at least 2.

    Reference:
        Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, DenseNet-BC-121, with a 3x3 stem for
        32x32 pictures as PTEEnet's public code has it.
    """

    def __init__(self, growth: int, classes: int = 10) -> None:
        """Make the layers with random weights."""
        super().__init__()
        width = 2 * growth
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        for at, count in enumerate(_LAYERS, 1):
            self.add_module(
                f"dense{at}", nn.Sequential(*(DenseLayer(width + i * growth, growth) for i in range(count)))
            )
            width += count * growth
            if at < len(_LAYERS):
                self.add_module(f"trans{at}", _transition(width, width // 2))
                width //= 2
        self.bn = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Answer a batch.

        Args:
            x: Pictures [B, 3, 32, 32].

        Returns:
            Logits [B, K].
        """
        for layer in self.children():
            x = layer(x)
        return x


def _transition(width: int, narrow: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, narrow, 1, bias=False), nn.AvgPool2d(2)
    )  # fmt: skip


def densenet121(classes: int = 10, *, growth: int = 32) -> DenseNet:
    """A DenseNet-121 for 3x32x32 pictures; see `DenseNet`.

    Args:
        classes: Number of classes, at least 2.
        growth: Number of channels that each dense layer adds.

    Returns:
        The network with random weights.
    """
    return DenseNet(growth, classes)
