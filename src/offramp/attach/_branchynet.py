"""The networks of BranchyNet with the published branches.

Layers have the same names in the trunk and in the stages of the graph: the weights of all stages together are those of
the trunk.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import nn

from offramp.errors import OptionError, suggest
from offramp.graph import Graph, Tensor
from offramp.nn import Normalize
from offramp.nn.heads import HeadRecipe
from offramp.zoo import BRANCHY_ALEXNET, BRANCHY_LENET, BranchyTable, branchy_resnet, build_trunk, load_weights

from ._chain import Stage, build_chain


def b_lenet(
    classes: int = 10,
    *,
    positions: str | Sequence[str] = "code",
    depths: Sequence[int] | None = None,
    scores: Sequence[str] = ("entropy",),
    trunk: nn.Module | None = None,
    normalize: Normalize | None = None,
) -> Graph:
    """B-LeNet: a LeNet for 1x28x28 pictures with one branch behind its first convolution.

    Args:
        classes: Number of classes, at least 2.
        positions: "code" for the published place, or the trunk's layers after which branches read, in order, such as
            ("conv1", "conv2"); further branches are like the last published one.
        depths: Number of 3x3 convolutions of each branch, 0 or more; None for the published one.
        scores: Names of the scores that every exit computes; the first one gates.
        trunk: `zoo:b_lenet` with weights to start from; they are copied. None for random weights.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with untrained branches.

    Raises:
        OptionError: A position that is no layer of the trunk or not in order, not one depth per branch, a wrong score.
        WeightsError: The weights of `trunk` do not fit.

    Example:
        >>> b_lenet().exits
        ('exit0/head', 'stage1')
        >>> [name for name, _ in b_lenet().bodies["stage0"].named_parameters()]
        ['conv1.weight', 'conv1.bias']

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks",
        ICPR 2016, section IV, with the layers of its public code.
    """
    branches = _choose_branches(BRANCHY_LENET, positions, depths)
    return _assemble(BRANCHY_LENET, branches, classes=classes, scores=scores, trunk=trunk, normalize=normalize)


def b_alexnet(
    classes: int = 10,
    *,
    positions: str | Sequence[str] = "code",
    depths: Sequence[int] | None = None,
    scores: Sequence[str] = ("entropy",),
    trunk: nn.Module | None = None,
    normalize: Normalize | None = None,
) -> Graph:
    """B-AlexNet: an AlexNet for 3x32x32 pictures with two branches.

    The paper says that the branches stand behind the first and second convolution; its code puts them behind the
    second and third, and its results come from there.

    Args:
        classes: Number of classes, at least 2.
        positions: "code", "paper", or the trunk's layers after which branches read; see `b_lenet`.
        depths: Number of 3x3 convolutions of each branch, 0 or more; None for the published 2 and 1.
        scores: Names of the scores that every exit computes; the first one gates.
        trunk: `zoo:b_alexnet` with weights to start from; they are copied. None for random weights.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with untrained branches.

    Raises:
        OptionError: A position that is no layer of the trunk or not in order, not one depth per branch, a wrong score.
        WeightsError: The weights of `trunk` do not fit.

    Example:
        >>> b_alexnet(positions="paper")["stage0"].outputs[0].shape
        (32, 32, 32)

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks",
        ICPR 2016, section IV, with the layers of its public code.
    """
    branches = _choose_branches(BRANCHY_ALEXNET, positions, depths)
    return _assemble(BRANCHY_ALEXNET, branches, classes=classes, scores=scores, trunk=trunk, normalize=normalize)


def b_resnet(  # noqa: PLR0913  # as its sisters, and the depth
    classes: int = 10,
    *,
    depth: int = 110,
    positions: str | Sequence[str] = "code",
    depths: Sequence[int] | None = None,
    scores: Sequence[str] = ("entropy",),
    trunk: nn.Module | None = None,
    normalize: Normalize | None = None,
) -> Graph:
    """B-ResNet: a ResNet for 3x32x32 pictures with branches behind its stem and behind its first group of blocks.

    Args:
        classes: Number of classes, at least 2.
        depth: Number of layers of the trunk, 6n + 2 for n blocks per group, at least 8.
        positions: "code", or the trunk's layers after which branches read, such as ("relu1", "block18"); see `b_lenet`.
        depths: Depth of each branch, in 3x3 convolutions for the first and in residual blocks for the others, 0 or
            more; None for the published 2 and 1.
        scores: Names of the scores that every exit computes; the first one gates.
        trunk: `zoo:b_resnet110` with weights to start from; they are copied. None for random weights.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with untrained branches.

    Raises:
        OptionError: The depth is not 6n + 2; a position that is no layer of the trunk or not in order, not one depth
            per branch, a wrong score.
        WeightsError: The weights of `trunk` do not fit.

    Example:
        >>> b_resnet(depth=8).exits
        ('exit0/head', 'exit1/head', 'stage2')

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks",
        ICPR 2016, section IV, with the layers of its public code.
    """
    network = branchy_resnet(depth)
    branches = _choose_branches(network, positions, depths)
    return _assemble(network, branches, classes=classes, scores=scores, trunk=trunk, normalize=normalize)


def _choose_branches(
    network: BranchyTable, positions: str | Sequence[str], depths: Sequence[int] | None
) -> list[tuple[str, HeadRecipe]]:
    """The layer behind which each branch reads, and its head."""
    if isinstance(positions, str):
        positions = network.positions.get(positions, (positions,))
    published = [network.branches[min(at, len(network.branches) - 1)] for at in range(len(positions))]
    chosen = [branch.depth for branch in published] if depths is None else list(depths)
    if len(chosen) != len(positions) or any(type(depth) is not int or depth < 0 for depth in chosen):
        raise OptionError(
            f"depths must be whole numbers, one for each of the {len(positions)} branches, but are {chosen}. "
            "Leave them out for the published ones."
        )
    tables = [branch.table(depth) for branch, depth in zip(published, chosen, strict=True)]
    return [(at, HeadRecipe("layers", table=table)) for at, table in zip(positions, tables, strict=True)]


def _assemble(
    network: BranchyTable,
    branches: Sequence[tuple[str, HeadRecipe]],
    *,
    classes: int,
    scores: Sequence[str],
    trunk: nn.Module | None,
    normalize: Normalize | None,
) -> Graph:
    network_trunk = build_trunk(network, classes)
    if trunk is not None:
        load_weights(network_trunk, trunk.state_dict(), "trunk")
    stages = list(_cut(network_trunk.eval(), network.shape, [position for position, _ in branches]))
    inputs = {"x": Tensor(shape=network.shape)}
    return build_chain(inputs, stages, [head for _, head in branches], scores=scores, normalize=normalize)


def _cut(trunk: nn.Sequential, shape: tuple[int, ...], positions: Sequence[str]) -> Iterator[Stage]:
    """The pieces of a trunk that end behind these layers, and the rest."""
    layers = dict(trunk.named_children())
    names = list(layers)
    wrong = [name for name in positions if name not in names[:-1]]
    if wrong:
        raise OptionError(f"no exit fits behind {wrong[0]!r}, which is no inner layer. {suggest(wrong[0], names[:-1])}")
    ends = [0, *(names.index(name) + 1 for name in positions), len(names)]
    if any(end <= start for start, end in pairwise(ends)):
        raise OptionError(f"positions must be layers in the trunk's order, once each, but are {list(positions)}.")
    carried = torch.zeros(1, *shape)
    for at, (start, end) in enumerate(pairwise(ends)):
        body = nn.Sequential(OrderedDict((name, layers[name]) for name in names[start:end]))
        with torch.no_grad():
            carried = body(carried)
        yield Stage(
            body=body,
            outputs=(Tensor(shape=tuple(carried.shape[1:])),),
            recipe={"stage": at, "cuts": list(positions)},
        )
