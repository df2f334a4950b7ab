"""The CIFAR ResNets in the layout of the public checkpoints: `conv1, bn1, layer1.0.conv1, ..., linear`."""

from __future__ import annotations

from torch import Tensor, nn

from offramp.errors import OptionError
from offramp.nn import BasicBlock


class CifarResNet(nn.Module):
    """Three groups of basic blocks, 16, 32 and 64 channels wide, for 3x32x32 pictures.

    Args:
        depth: Number of layers, 6n + 2 for n blocks per group, at least 8.
        classes: Number of classes, at least 2.

    Raises:
        OptionError: The depth is not 6n + 2.

    Reference:
        He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2, shortcuts of option A.
    """

    def __init__(self, depth: int, classes: int = 10) -> None:
        """Make the layers with random weights."""
        super().__init__()
        blocks = blocks_per_group(depth)
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = _group(16, 16, blocks, stride=1)
        self.layer2 = _group(16, 32, blocks, stride=2)
        self.layer3 = _group(32, 64, blocks, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Answer a batch.

        Args:
            x: Normalized pictures [B, 3, 32, 32].

        Returns:
            Logits [B, K].
        """
        for layer in self.children():
            x = layer(x)
        return x


def blocks_per_group(depth: int) -> int:
    """The number of residual blocks per group in a CIFAR ResNet.

    Args:
        depth: Number of layers, 6n + 2.

    Returns:
        The n of 6n + 2.

    Raises:
        OptionError: The depth is not 6n + 2, or below 8.

    Example:
        >>> blocks_per_group(56)
        9
    """
    if depth < 8 or depth % 6 != 2:
        raise OptionError(f"the depth must be 6n + 2, such as 20 or 56, but is {depth}. Take the nearest such.")
    return (depth - 2) // 6


def _group(width_in: int, width: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = BasicBlock(width_in, width, stride)
    return nn.Sequential(first, *(BasicBlock(width, width, 1) for _ in range(blocks - 1)))


def cifar_resnet(classes: int = 10, *, depth: int) -> CifarResNet:
    """A CIFAR ResNet; see `CifarResNet`.

    Args:
        classes: Number of classes, at least 2.
        depth: Number of layers, 6n + 2 for n blocks per group, at least 8.

    Returns:
        The network with random weights.

    Raises:
        OptionError: The depth is not 6n + 2.
    """
    return CifarResNet(depth, classes)
