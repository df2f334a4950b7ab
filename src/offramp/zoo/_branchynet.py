"""The networks of BranchyNet as tables that read like the code they were published in: layers, and their branches.

A branch, as that paper calls it, is an exit with its head. Layers are named as `build_layers` names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from offramp.nn import build_layers

from ._resnet import blocks_per_group


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchTable:
    """A published branch.

    Attributes:
        first: The layers before those that are repeated.
        repeated: The layers that are repeated, as often as the branch is deep.
        depth: Number of repetitions as published.
        last: The layers after those, without the linear layer to the classes.
    """

    first: str
    repeated: str
    depth: int
    last: str = ""

    def table(self, depth: int) -> str:
        """The layers of the branch at a depth.

        Args:
            depth: Number of repetitions, at least 0.

        Returns:
            A table as `nn.build_layers` reads it, without the linear layer to the classes.
        """
        return " | ".join(part for part in (self.first, *[self.repeated] * depth, self.last) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchyTable:
    """A published network.

    Attributes:
        shape: Shape of one sample, (C, H, W).
        trunk: The layers without the linear layer to the classes.
        branches: The branches in order; further ones are like the last.
        positions: By name, such as "code" or "paper": the layers after which the branches read.
    """

    shape: tuple[int, ...]
    trunk: str
    branches: tuple[BranchTable, ...]
    positions: Mapping[str, tuple[str, ...]]


def branchy_resnet(depth: int) -> BranchyTable:
    """The table of B-ResNet.

    Args:
        depth: Number of layers, 6n + 2 for n blocks per group, at least 8.

    Returns:
        The network and its branches.

    Raises:
        OptionError: The depth is not 6n + 2.

    Example:
        >>> branchy_resnet(110).positions
        {'code': ('relu1', 'block18')}

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks",
        ICPR 2016, section IV, with the layers of its public code.
    """
    blocks = blocks_per_group(depth)
    same = {width: f" | block {width}" * (blocks - 1) for width in (16, 32, 64)}
    return BranchyTable(
        shape=(3, 32, 32),
        trunk=f"""
            conv 3x3 16 | bn | relu
            block 16{same[16]}
            block 32 stride 2{same[32]}
            block 64 stride 2{same[64]}
            avgpool 6/1
        """,
        branches=(
            BranchTable(first="conv 5x5 64 pad 2 | relu | lrn", repeated="conv 3x3 32 pad 1 | relu", depth=2),
            BranchTable(first="", repeated="block 16", depth=1),
        ),
        positions={"code": ("relu1", f"block{blocks}")},
    )


BRANCHY_LENET = BranchyTable(
    shape=(1, 28, 28),
    trunk="""
        conv 5x5 5 pad 3 | pool 2 | relu
        conv 5x5 10 pad 3 | pool 2 | relu
        conv 5x5 20 pad 3 | pool 2 | relu
        fc 84
    """,
    # published as conv, pool, ReLU; the last two give the same in either order, and a deeper branch needs this one
    branches=(BranchTable(first="pool 2 | relu", repeated="conv 3x3 10 pad 1 | relu", depth=1, last="pool 2"),),
    positions={"code": ("conv1",)},
)

BRANCHY_ALEXNET = BranchyTable(
    shape=(3, 32, 32),
    trunk="""
        conv 5x5 32 pad 2 | relu | pool 3/2 | lrn
        conv 5x5 64 pad 2 | relu | pool 3/2 | lrn
        conv 3x3 96 pad 1 | relu
        conv 3x3 96 pad 1 | relu
        conv 3x3 64 pad 1 | relu | pool 3/2
        fc 256 | relu | dropout 0.5
        fc 128 | relu | dropout 0.5
    """,
    branches=tuple(
        BranchTable(first="relu | pool 3/2 | lrn", repeated="conv 3x3 32 pad 1 | relu", depth=depth, last="pool 3/2")
        for depth in (2, 1)
    ),
    positions={"code": ("conv2", "conv3"), "paper": ("conv1", "conv2")},
)


def lenet_trunk(classes: int = 10) -> nn.Sequential:
    """The LeNet of BranchyNet without branches, for 1x28x28 pictures; 1.14 M multiply-accumulates.

    Args:
        classes: Number of classes, at least 2.

    Returns:
        The network with random weights.
    """
    return build_trunk(BRANCHY_LENET, classes)


def alexnet_trunk(classes: int = 10) -> nn.Sequential:
    """The AlexNet of BranchyNet without branches, for 3x32x32 pictures; 28.25 M multiply-accumulates.

    Args:
        classes: Number of classes, at least 2.

    Returns:
        The network with random weights.
    """
    return build_trunk(BRANCHY_ALEXNET, classes)


def resnet_trunk(classes: int = 10, *, depth: int = 110) -> nn.Sequential:
    """The ResNet of BranchyNet without branches, for 3x32x32 pictures; 232.4 M multiply-accumulates at depth 110.

    Args:
        classes: Number of classes, at least 2.
        depth: Number of layers, 6n + 2 for n blocks per group, at least 8.

    Returns:
        The network with random weights.

    Raises:
        OptionError: The depth is not 6n + 2.
    """
    return build_trunk(branchy_resnet(depth), classes)


def build_trunk(network: BranchyTable, classes: int) -> nn.Sequential:
    """The layers of a published network without its branches.

    Args:
        network: Table of the network.
        classes: Number of classes, at least 2.

    Returns:
        The network with random weights from PyTorch's global generator.

    Example:
        >>> [name for name, _ in build_trunk(BRANCHY_LENET, 10).named_children()][-2:]
        ['fc1', 'fc2']
    """
    return build_layers(f"{network.trunk} | fc {classes}", network.shape)[0]
