"""The networks without exits that offramp brings along, as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from ._branchynet import alexnet_trunk, lenet_trunk, resnet_trunk
from ._densenet import densenet121
from ._lenet import lenet5
from ._mlp import mlp
from ._resnet import cifar_resnet
from ._vgg import vgg19


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooEntry:
    """How to make one network of the zoo.

    Attributes:
        build: Function from the number of classes to the module with random weights.
        shape: Shape of one sample, without the batch axis.
        classes: Number of classes unless another one is asked for.
        mean: Mean of each channel that its weights expect to be subtracted from pixels in [0, 1]; None if they expect
            plain pixels.
        std: Standard deviation of each channel that they expect to be divided by; None if none.
    """

    build: Callable[[int], nn.Module]
    shape: tuple[int, ...]
    classes: int = 10
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def _resnet(depth: int) -> ZooEntry:
    # mean and std of ImageNet, although the pictures are CIFAR's: the public checkpoints were trained so
    return ZooEntry(
        build=partial(cifar_resnet, depth=depth),
        shape=(3, 32, 32),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


ZOO: dict[str, ZooEntry] = {
    "lenet5": ZooEntry(build=lenet5, shape=(1, 28, 28)),
    "mlp": ZooEntry(build=mlp, shape=(1, 28, 28)),
    "resnet20": _resnet(20),
    "resnet32": _resnet(32),
    "resnet44": _resnet(44),
    "resnet56": _resnet(56),
    "resnet110": _resnet(110),
    "vgg19": ZooEntry(build=vgg19, shape=(3, 32, 32)),
    "densenet121": ZooEntry(build=densenet121, shape=(3, 32, 32)),
    "b_lenet": ZooEntry(build=lenet_trunk, shape=(1, 28, 28)),
    "b_alexnet": ZooEntry(build=alexnet_trunk, shape=(3, 32, 32)),
    "b_resnet110": ZooEntry(build=resnet_trunk, shape=(3, 32, 32)),
}
