"""A network of a few hundred weights, for folders that are kept, and that old ones name."""

from __future__ import annotations

from torch import nn


def make(classes: int = 3, channels: int = 4) -> nn.Module:
    """Two convolutions and a linear layer, for pictures 1x6x6."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, 2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(9 * channels, classes),
    )
