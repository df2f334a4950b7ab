"""The basic block of CIFAR ResNets."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Zeros = Literal["around", "front"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut without weights.

    Where the shape changes, the shortcut takes every `stride`-th pixel (a 1x1 average pooling with that stride is the
    same) and fills new channels with zeros.

    Args:
        width_in: Channels that come in.
        width: Channels that go out.
        stride: Of the first convolution.
        bias: True gives the convolutions biases.
        zeros: Where the new channels stand: one half on each side of the old ones, or all in front of them.
    """

    def __init__(self, width_in: int, width: int, stride: int, *, bias: bool = False, zeros: Zeros = "around") -> None:
        """Make the layers with random weights."""
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        added = width - width_in
        self.padding = (added, 0) if zeros == "front" else (added // 2, added // 2)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, C, H, W], smaller and wider if the stride is above 1."""
        out: Tensor = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out)) + self._shortcut(x)
        out = self.relu2(out)
        return out

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.stride == 1 and not any(self.padding):
            return x
        sparse = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(sparse, (0, 0, 0, 0, *self.padding))
