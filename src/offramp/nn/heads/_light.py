"""Our default head for pictures: shrink the map at once, then separable convolutions on the small one."""

from __future__ import annotations

from torch import nn

from offramp.nn._pooled import ChannelsFirst, Pooled, is_channels_last

_SIDE = 8  # the map is brought to at most this side: 3x3 filters see enough of it, and it stays in the nearest cache


def build_light(shape: tuple[int, ...], classes: int, *, width: int = 64, blocks: int = 3) -> nn.Module:
    """Pooling and a strided convolution to a map of about 8x8, separable convolutions, mean over space, linear layer.

    Large maps are costly to move even where they are cheap to compute with, so nothing but the first layer reads the
    full map. The last block halves the map and doubles the width.

    Args:
        shape: Shape (C, H, W) of one sample's features.
        classes: Number of logits, at least 2.
        width: Number of channels after the first block.
        blocks: Number of separable convolutions, at least 1.

    Returns:
        A module from features to logits.
    """
    layers: list[nn.Module] = []
    if is_channels_last(shape):
        layers.append(ChannelsFirst())
        shape = (shape[2], shape[0], shape[1])
    channels, side = shape[0], min(shape[1:])
    if side > _SIDE:
        shrink = side // (2 * _SIDE)
        layers += [nn.AvgPool2d(shrink, ceil_mode=True)] if shrink > 1 else []
        layers += _stem(channels, width // 2)
        channels = width // 2
    for block in range(blocks):
        last = block == blocks - 1
        layers += _separable(channels, 2 * width if last else width, stride=2 if last and side > 2 else 1)
        channels = width
    return nn.Sequential(*layers, Pooled((2 * width, 2, 3)), nn.Linear(2 * width, classes))


def _stem(channels: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


def _separable(channels: int, width: int, *, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.Conv2d(channels, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
