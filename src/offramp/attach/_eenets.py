"""The networks of EENet and PTEEnet: exits with confidences on a ResNet, a VGG or a DenseNet for 3x32x32 pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from offramp.capture import Capture, CutPoint, capture
from offramp.errors import OptionError
from offramp.graph import Graph
from offramp.nn import Normalize
from offramp.zoo import cifar_resnet, densenet121, load_weights, vgg19

from ._chain import Head, build_chain
from ._exits import Placement, choose_cuts, spread_heads, stages_between
from ._placement import RULES, place

_SHAPE = (3, 32, 32)
_HEAD = "conv2:confidence=1"  # of every stored configuration of PTEEnet's code
_EXITS: Mapping[int, int] = {20: 3, 32: 5, 44: 5, 56: 5, 110: 10}  # by depth; 44 is not in the paper
# Modules behind which a rule may put an exit.
_BLOCK, _POOL, _DENSE_LAYER = r"layer\d\.\d+", r"pool\d", r"dense\d\.\d+"


def res_eenet(  # noqa: PLR0913  # the words of the papers
    depth: int = 110,
    *,
    exits: int | None = None,
    placement: Placement = "fine",
    head: Head | Sequence[Head] = _HEAD,
    scores: Sequence[str] = ("head_confidence",),
    classes: int = 10,
    trunk: nn.Module | None = None,
    normalize: Normalize | None = None,
) -> Graph:
    """ResEEnet: a CIFAR ResNet with exits behind some of its residual blocks.

    Thresholds of the rules compare multiply-accumulates of the trunk. The published code counts normalization and ReLU
    too and puts the exits of ResEEnet-110/10 behind blocks 3, 6, 8, 10, 12, 14, 16, 18, 20 and 22; here three of them
    stand one block later (13, 15, 17). Its shortcuts are 1x1 convolutions, ours have no weights, as the public
    checkpoints; with "pareto" that moves one exit of ResEEnet-110/10 by a block (45 to 46).

    Args:
        depth: Number of layers of the trunk, 6n + 2 for n blocks per group, at least 8.
        exits: Number of exits, if `placement` is a rule; None for the published number: 3 at depth 20, 5 at 32 and 56,
            and 10 at 110.
        placement: "fine", "pareto", "linear" or "golden" over the residual blocks, or cut points themselves, such as
            ("layer1.2", "layer2.0").
        head: Kind of head, or a module, for all exits or one for each; the published one is "conv2:confidence=1",
            EENet's own "pool:confidence=1".
        scores: Names of the scores that every exit computes; the first one gates.
        classes: Number of classes, at least 2.
        trunk: `zoo:resnet110` or its sisters with weights to start from; they are copied. None for random weights.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with untrained heads; `learn.cumulative` trains them.

    Raises:
        CaptureError: Fewer than `exits` fit, or no such cut point.
        OptionError: The depth is not 6n + 2, or has no published number of exits; a wrong head or score.
        WeightsError: The weights of `trunk` do not fit.

    Example:
        >>> graph = res_eenet(20)
        >>> graph["stage0"].recipe["cuts"]
        ['layer1.0', 'layer1.1', 'layer1.2']

    Reference:
        Lahiany and Aperstein, "PTEEnet: Post-Trained Early-Exit Neural Networks Augmentation for Inference Cost
        Optimization", IEEE Access 10, 2022, section on architectures, and its public code; Demir and Akbas,
        "Early-exit Convolutional Neural Networks", arXiv 2409.05336, 2024, for the rules and the exit block.
    """
    network = cifar_resnet(classes, depth=depth)
    if exits is None and depth not in _EXITS:
        known = ", ".join(f"{count} at depth {which}" for which, count in _EXITS.items())
        raise OptionError(f"the number of exits is known for {known}, but the depth is {depth}. Give exits.")
    count = _EXITS[depth] if exits is None else exits
    return _attach(network, _BLOCK, count, placement, head, scores, trunk, normalize)


def vgg_eenet(  # noqa: PLR0913  # as its sister
    *,
    exits: int = 3,
    placement: Placement = "fine",
    head: Head | Sequence[Head] = _HEAD,
    scores: Sequence[str] = ("head_confidence",),
    classes: int = 10,
    trunk: nn.Module | None = None,
    normalize: Normalize | None = None,
) -> Graph:
    """VGGEEnet: a VGG-19 with exits behind some of its max-pools; the published three stand behind the first three.

    Args:
        exits: Number of exits, if `placement` is a rule.
        placement: A rule over the max-pools, or cut points themselves, such as ("pool1", "relu5").
        head: Kind of head, or a module, for all exits or one for each.
        scores: Names of the scores that every exit computes; the first one gates.
        classes: Number of classes, at least 2.
        trunk: `zoo:vgg19` with weights to start from; they are copied. None for random weights.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with untrained heads; `learn.cumulative` trains them.

    Raises:
        CaptureError: Fewer than `exits` fit, or no such cut point.
        OptionError: There is no such head or score.
        WeightsError: The weights of `trunk` do not fit.

    Reference:
        Lahiany and Aperstein, "PTEEnet: Post-Trained Early-Exit Neural Networks Augmentation for Inference Cost
        Optimization", IEEE Access 10, 2022, section on architectures, and its public code.
    """
    return _attach(vgg19(classes), _POOL, exits, placement, head, scores, trunk, normalize)


def dense_eenet(  # noqa: PLR0913  # as its sister
    *,
    exits: int = 3,
    placement: Placement = "fine",
    head: Head | Sequence[Head] = _HEAD,
    scores: Sequence[str] = ("head_confidence",),
    growth: int = 32,
    classes: int = 10,
    trunk: nn.Module | None = None,
    normalize: Normalize | None = None,
) -> Graph:
    """DenseEEnet: a DenseNet-121 with exits behind some of its dense layers; the published ones behind the first three.

    There all channels are kept and the map is large, so heads with convolutions cost more than what they save: with
    the published "conv2" the three cost 19, 34 and 53 % of the network. Take "light:confidence=1".

    Args:
        exits: Number of exits, if `placement` is a rule.
        placement: A rule over the dense layers, or cut points themselves, such as ("dense1.5", "dense2.11").
        head: Kind of head, or a module, for all exits or one for each.
        scores: Names of the scores that every exit computes; the first one gates.
        growth: Number of channels that each dense layer adds: 32 for the network called 121, 12 is the default of the
            published class.
        classes: Number of classes, at least 2.
        trunk: `zoo:densenet121` with weights to start from; they are copied. None for random weights.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with untrained heads; `learn.cumulative` trains them.

    Raises:
        CaptureError: Fewer than `exits` fit, or no such cut point.
        OptionError: There is no such head or score.
        WeightsError: The weights of `trunk` do not fit.

    Reference:
        Lahiany and Aperstein, "PTEEnet: Post-Trained Early-Exit Neural Networks Augmentation for Inference Cost
        Optimization", IEEE Access 10, 2022, section on architectures, and its public code.
    """
    network = densenet121(classes, growth=growth)
    return _attach(network, _DENSE_LAYER, exits, placement, head, scores, trunk, normalize)


def _attach(  # noqa: PLR0913  # all of one graph
    network: nn.Module,
    inner: str,
    exits: int,
    placement: Placement,
    head: Head | Sequence[Head],
    scores: Sequence[str],
    trunk: nn.Module | None,
    normalize: Normalize | None,
) -> Graph:
    """A graph with exits behind those modules of a network whose names match `inner`."""
    if trunk is not None:
        load_weights(network, trunk.state_dict(), "trunk")
    captured = capture(network.eval(), torch.rand(2, *_SHAPE, generator=torch.Generator().manual_seed(0)))
    rule = next((rule for rule in RULES if rule == placement), None)
    if rule is None:
        cuts = choose_cuts(captured, placement, count=exits)
    else:
        places = find_places(captured, inner)
        cuts = tuple(places[at] for at in place([cut.macs for cut in places], captured.macs, exits, rule))
    heads = spread_heads(head, len(cuts))
    return build_chain(captured.inputs, list(stages_between(captured, cuts)), heads, scores=scores, normalize=normalize)


def find_places(captured: Capture, inner: str) -> list[CutPoint]:
    """The cut points at which a module ends whose name matches a pattern.

    Args:
        captured: The captured network.
        inner: Regular expression for the whole name of a module.

    Returns:
        Cut points in the order of the network.
    """
    return [cut for cut in captured.cuts if any(re.fullmatch(inner, name) for name in (cut.name, *cut.aliases))]
