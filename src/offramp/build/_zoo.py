"""The networks that offramp brings along, as tables: those without exits, and those published with theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from offramp.graph import Graph

from ._branchynet import alexnet_trunk, b_alexnet, b_lenet, b_resnet, lenet_trunk, resnet_trunk
from ._d2nn import d2nn
from ._densenet import densenet121
from ._eenets import dense_eenet, res_eenet, vgg_eenet
from ._lenet import lenet5
from ._mlp import mlp
from ._resnet import cifar_resnet
from ._structures import d2nn_cascade, d2nn_chain, d2nn_hierarchy, d2nn_high_low
from ._vgg import vgg19


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooEntry:
    """How to make one network of the zoo.

    Attributes:
        build: Takes the number of classes and gives the module with random weights.
        shape: Of one sample.
        classes: Number of classes unless asked otherwise.
        mean: That its weights expect to be subtracted, per channel; None: they expect plain pixels in [0, 1].
        std: That they expect to be divided by.
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

# By name: the builder of a graph; all arguments are optional, but for those of `d2nn`, and all JSON-able, but for
# `trunk`, `modules` and `normalize`.
GRAPHS: dict[str, Callable[..., Graph]] = {
    "b_lenet": b_lenet,
    "b_alexnet": b_alexnet,
    "b_resnet": b_resnet,
    "res_eenet": res_eenet,
    "vgg_eenet": vgg_eenet,
    "dense_eenet": dense_eenet,
    "d2nn": d2nn,
    "d2nn_high_low": d2nn_high_low,
    "d2nn_cascade": d2nn_cascade,
    "d2nn_chain": d2nn_chain,
    "d2nn_hierarchy": d2nn_hierarchy,
}
