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
        width_in: Number of channels of the map that comes in.
        width: Number of channels of the map that goes out, at least `width_in`.
        stride: Stride of the first convolution, 1 or more; the map becomes smaller by this factor.
        bias: True gives both convolutions biases.
        zeros: Where the new channels stand: "around" puts one half on each side of the old ones, "front" puts all of
            them before the old ones.

    Example:
        >>> import torch
        >>> BasicBlock(16, 32, 2).eval()(torch.zeros(1, 16, 8, 8)).shape
        torch.Size([1, 32, 4, 4])

    Reference:
        He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, equation (1) and section 4.2,
        shortcut option A.
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
        """Run the block on a batch.

        Args:
            x: Features [B, C, H, W] with `width_in` channels.

        Returns:
            Features with `width` channels; height and width are divided by the stride, rounded up.
        """
        out: Tensor = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out)) + self._shortcut(x)
        out = self.relu2(out)
        return out

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.stride == 1 and not any(self.padding):
            return x
        sparse = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(sparse, (0, 0, 0, 0, *self.padding))
