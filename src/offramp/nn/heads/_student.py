"""A whole small network as a head, for the exit at the input."""

from __future__ import annotations

from torch import Tensor, nn

from offramp.nn._pooled import ChannelsFirst, Pooled, is_channels_last

_SIDE = 16  # of the map behind the stem, about: pictures of any size cost much the same


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        same = stride == 1 and channels == width
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, width, H / stride, W / stride]."""
        out: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return out


def build_student(shape: tuple[int, ...], classes: int, *, width: int = 32, blocks: int = 1) -> nn.Module:
    """A residual network of seven convolutions on the main path; 12 M multiply-accumulates for 3x32x32 and width 32.

    The stem brings the map to a side of about 16; one block follows on that map, and some on each of two more, each of
    half the side and double the width. Few, dense layers: what an engine is quickest at.

    Args:
        shape: Shape (C, H, W) of one sample, in practice the picture itself.
        classes: Number of logits, at least 2.
        width: Number of channels after the stem.
        blocks: Number of blocks of two convolutions on each of the two smaller maps.

    Returns:
        A module from pictures to logits.
    """
    layers: list[nn.Module] = []
    if is_channels_last(shape):
        layers.append(ChannelsFirst())
        shape = (shape[2], shape[0], shape[1])
    channels, side = shape[0], min(shape[1:])
    stride = max(1, round(side / _SIDE))
    layers += [nn.Conv2d(channels, width, 5, stride=stride, padding=2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    layers.append(_Residual(width, width, stride=1))
    for wide in (width, 2 * width):
        layers.append(_Residual(wide, 2 * wide, stride=2))
        layers += [_Residual(2 * wide, 2 * wide, stride=1) for _ in range(blocks - 1)]
    return nn.Sequential(*layers, Pooled((4 * width, 2, 2)), nn.Linear(4 * width, classes))
