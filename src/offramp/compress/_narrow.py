"""Layers with fewer channels, and what reads them with fewer inputs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn

from offramp.errors import GraphError, OptionError
from offramp.graph import Graph, Pass
from offramp.nn import QuantizedBody
from offramp.transform import replace_bodies

_SAME = (  # modules that do the same to each channel
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardtanh,
    nn.Identity, nn.Dropout, nn.Dropout2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
)  # fmt: skip
_NORMALIZATIONS = (nn.BatchNorm1d, nn.BatchNorm2d)
_SAME_FUNCTIONS = (torch.relu, nn.functional.relu, nn.functional.silu, nn.functional.gelu)


def narrow(graph: Graph, node: str, layer: str, *, share: float = 0.5) -> Graph:
    """The graph in which a layer keeps a share of its channels, the strongest; all that reads them follows.

    A channel is as strong as the sum of the sizes of its weights.

    Args:
        graph: Trained, in float.
        node: Name of the node in whose body the layer is, such as "stage0".
        layer: Name of the layer in the body, such as "0.conv1": a convolution without groups or a linear layer that is
            read, through normalizations, activations and pooling alone, by others of the same body.
        share: Of the channels to keep, more than 0 and at most 1; at least one channel stays.

    Returns:
        The narrower graph; it answers differently and is meant to be trained on.

    Raises:
        OptionError: The share is none, or there is no such node or layer.
        GraphError: The layer is of another kind, or something else reads it.

    Example:
        >>> from offramp.attach import d2nn
        >>> graph = d2nn("out: x | fc 8 | relu | fc 3", (4,))
        >>> sum(weight.numel() for weight in narrow(graph, "out", "fc1").bodies["out"].parameters())
        35

    Reference:
        Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, section 3.1, one layer at a time.
    """
    if not 0 < share <= 1:
        raise OptionError(f"share must be more than 0 and at most 1, but is {share}. For half of the channels: 0.5.")
    weight = _find_layer(_module(graph, node), node, layer).weight
    most = max(1, round(share * len(weight)))
    strength = weight.detach().abs().flatten(1).sum(dim=1)
    return Narrow(node=node, layer=layer, keep=tuple(sorted(strength.topk(most).indices.tolist())))(graph)


@dataclass(frozen=True, kw_only=True)
class Narrow(Pass):
    """`narrow` as a pass, which knows the channels.

    Attributes:
        node: Name of the node in whose body the layer is.
        layer: Name of the layer in the body.
        keep: Numbers of the output channels that stay, in ascending order.
    """

    name: ClassVar[str] = "narrow"
    node: str
    layer: str
    keep: tuple[int, ...]

    def requires(self, graph: Graph) -> None:
        """Refuse a layer that is not there, of another kind, or read by something that cannot follow.

        Raises:
            OptionError: There is no such node, layer or channel.
            GraphError: It cannot be narrowed.
        """
        body = _module(graph, self.node)
        channels = len(_find_layer(body, self.node, self.layer).weight)
        if not self.keep or list(self.keep) != sorted(set(self.keep) & set(range(channels))):
            raise OptionError(
                f"channels to keep must be some of 0 to {channels - 1} in ascending order, but are {list(self.keep)}."
            )
        list(_readers(body, self.node, self.layer))

    def apply(self, graph: Graph) -> Graph:
        """The graph with the narrower layer, if not all channels are kept."""
        body = copy.deepcopy(_module(graph, self.node))
        layer = _find_layer(body, self.node, self.layer)
        channels, kept = len(layer.weight), torch.tensor(self.keep)
        if len(kept) == channels:
            return graph
        for name in list(_readers(body, self.node, self.layer)):
            _slice_reader(body.get_submodule(name), kept, channels)
        _slice_outputs(layer, kept)
        return replace_bodies(graph, {self.node: body})


def _module(graph: Graph, node: str) -> nn.Module:
    body = graph.bodies.get(node)
    if isinstance(body, QuantizedBody):
        raise GraphError(f"a layer is narrowed in float, but {node!r} is in 8 bits. Narrow before you quantize.")
    if not isinstance(body, nn.Module):
        raise OptionError(f"a layer must be in the body of a node ({', '.join(graph.bodies)}), but {node!r} has none.")
    return body


def _find_layer(body: nn.Module, node: str, layer: str) -> Any:  # Any: a convolution or linear layer
    found = dict(body.named_modules()).get(layer)
    if found is None:
        able = [name for name, one in body.named_modules() if _has_channels(one)]
        raise OptionError(f"the layer must be one of {', '.join(able)} in {node!r}, but is {layer!r}. Choose one.")
    if not _has_channels(found):
        raise GraphError(
            f"only convolutions without groups and linear layers can be narrowed, but {layer!r} of {node!r} is a "
            f"{type(found).__name__}. Choose another layer."
        )
    return found


def _has_channels(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) and layer.groups == 1)


def _readers(body: nn.Module, node: str, layer: str) -> Iterator[str]:
    """Names of the layers that must follow: normalizations, and those whose inputs the channels are.

    Raises:
        GraphError: Something else reads the channels, or one of these layers runs more than once.
    """
    calls = _calls(body, node)
    channels = _find_layer(body, node, layer)
    waiting = [(_only(calls, layer, node), isinstance(channels, nn.Linear))]
    while waiting:
        value, flat = waiting.pop()
        for user in value.users:
            reader = body.get_submodule(str(user.target)) if user.op == "call_module" else None
            follows = reader is not None and _follows(reader, channels, flat=flat)
            if not (follows or isinstance(reader, _SAME) or _flattens(user, reader) or _is_same(user)):
                raise GraphError(
                    f"what reads {layer!r} of {node!r} must be normalizations, activations, pooling and layers of the "
                    f"same body, but {user.name!r} reads it. Choose a layer inside a block."
                )
            if follows:
                _only(calls, str(user.target), node)
                yield str(user.target)
            if not follows or isinstance(reader, _NORMALIZATIONS):
                waiting.append((user, flat or _flattens(user, reader)))


def _calls(body: nn.Module, node: str) -> list[fx.Node]:
    try:
        traced = fx.symbolic_trace(body)
    except Exception as error:  # tracing runs code of the user's, which may raise anything
        raise GraphError(
            f"the body of {node!r} must be traceable to be narrowed, but: {error}. Choose another."
        ) from error
    return [one for one in traced.graph.nodes if one.op == "call_module"]


def _only(calls: Sequence[fx.Node], layer: str, node: str) -> fx.Node:
    """The one place where a layer runs."""
    found = [one for one in calls if one.target == layer]
    if len(found) != 1:
        raise GraphError(f"a layer that is narrowed must run once, but {layer!r} of {node!r} runs {len(found)} times.")
    return found[0]


def _follows(reader: nn.Module, layer: Any, *, flat: bool) -> bool:  # Any: a convolution or linear layer
    """Whether a layer reads channels, and can read fewer; behind a flattening each may be several numbers."""
    if not (_has_channels(reader) or isinstance(reader, _NORMALIZATIONS)):
        return False
    channels, size = len(layer.weight), _inputs(reader)
    alike = size == channels or (flat and not isinstance(layer, nn.Linear) and size % channels == 0)
    return alike and isinstance(reader, nn.Linear | nn.BatchNorm1d) == flat


def _inputs(reader: Any) -> int:  # Any: a layer or a normalization
    return int(reader.num_features if isinstance(reader, _NORMALIZATIONS) else reader.weight.shape[1])


def _flattens(user: fx.Node, module: nn.Module | None) -> bool:
    """Whether channels and places become one axis behind that of the batch."""
    if isinstance(module, nn.Flatten):
        return (module.start_dim, module.end_dim) == (1, -1)
    named = user.target is torch.flatten or (user.op == "call_method" and user.target == "flatten")
    return named and tuple(user.args[1:]) == (1,) and not user.kwargs


def _is_same(user: fx.Node) -> bool:
    """Whether a call without a module does the same to each channel."""
    return user.target in _SAME_FUNCTIONS or (user.op == "call_method" and user.target == "relu")


@torch.no_grad()
def _slice_outputs(layer: Any, kept: Tensor) -> None:  # Any: a convolution or linear layer
    """Fewer channels out."""
    layer.weight = nn.Parameter(layer.weight[kept].clone())
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias[kept].clone())
    _tell(layer, ("out_channels", "out_features"), len(kept))


@torch.no_grad()
def _slice_reader(layer: Any, kept: Tensor, channels: int) -> None:  # Any: a layer or a normalization
    """Fewer channels in; behind a flattening there are several numbers of each, side by side."""
    each = _inputs(layer) // channels
    places = (kept[:, None] * each + torch.arange(each)).flatten()
    if not isinstance(layer, _NORMALIZATIONS):
        layer.weight = nn.Parameter(layer.weight[:, places].clone())
        _tell(layer, ("in_channels", "in_features"), len(places))
        return
    for name, value in (*layer.named_parameters(), *layer.named_buffers()):
        if value.ndim:  # all but the number of batches
            short = value[places].clone()
            setattr(layer, name, nn.Parameter(short) if isinstance(value, nn.Parameter) else short)
    layer.num_features = len(places)


def _tell(layer: nn.Module, names: Sequence[str], value: int) -> None:
    """Write a size under the name that this kind of layer has for it."""
    setattr(layer, next(name for name in names if hasattr(layer, name)), value)
