"""The part of an early-exit graph that stays as it is, run for all rows; gates are ignored."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from offramp.errors import LearnError
from offramp.graph import Body, Graph, Node

from ._digest import digest_weights
from ._settings import Precision

Values = dict[str, tuple[Tensor, ...]]


class FrozenBackbone:
    """Copies of a graph's backbone bodies, in eval mode and without gradients.

    Args:
        graph: Graph with at least one head; its bodies are copied.
        precision: Numbers that the forward pass computes in; "bfloat16" is several times as fast where the processor
            has AMX.

    Attributes:
        nodes: Function nodes that the heads and the final exit need, in graph order, heads left out.
        teacher: Name of the node whose first output is the full network's logits.
        device: Device on which the bodies are.

    Raises:
        LearnError: The backbone depends on gates or heads.
    """

    def __init__(self, graph: Graph, precision: Precision) -> None:
        self.teacher = graph.exits[-1]
        self.nodes = find_backbone(graph, self.teacher)
        self.device = find_device(graph.bodies.values())
        self._inputs = tuple(node.name for node in graph.inputs)
        self._precision = precision
        self._bodies = {node.name: _freeze(graph.bodies[node.name]) for node in self.nodes}

    @torch.no_grad()
    def __call__(self, batch: Mapping[str, Tensor]) -> Values:
        """Run the backbone for every row of a batch.

        Args:
            batch: Inputs [B, ...] by name.

        Returns:
            What each input and backbone node gives, by name, floating-point numbers in float32.
        """
        values: Values = {name: (channels_last(batch[name]),) for name in self._inputs}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            for node in self.nodes:
                values[node.name] = as_tuple(self._bodies[node.name](*gather(values, node)))
        return {name: tuple(map(_single, given)) for name, given in values.items()}

    def digest(self) -> str:
        """A fingerprint of the weights.

        Returns:
            64 hexadecimal digits.
        """
        return digest_weights(self._bodies)


def gather(values: Mapping[str, tuple[Tensor, ...]], node: Node) -> list[Tensor]:
    """What a node reads, in the order of its arguments.

    Args:
        values: What each node gives, by name.
        node: The node that reads.

    Returns:
        One tensor per data edge.
    """
    return [values[edge.source][edge.output] for edge in node.inputs]


def as_tuple(result: Tensor | Iterable[Tensor]) -> tuple[Tensor, ...]:
    """The outputs of a body as a tuple, also where there is only one.

    Args:
        result: What a body returned.

    Returns:
        The tensors.
    """
    return (result,) if isinstance(result, Tensor) else tuple(result)


def find_backbone(graph: Graph, teacher: str) -> tuple[Node, ...]:
    """The function nodes that the heads and the final exit need, heads left out.

    Args:
        graph: An early-exit graph.
        teacher: Name of the final exit.

    Returns:
        Nodes in graph order.

    Raises:
        LearnError: One of them depends on gates or heads.
    """
    heads = [node for node in graph.nodes if node.role == "head"]
    wanted = {teacher} | {edge.source for head in heads for edge in head.inputs if graph[edge.source].role != "head"}
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted |= {edge.source for edge in node.inputs}
    needed = [node for node in graph.nodes if node.name in wanted and node.kind != "input"]
    wrong = [node.name for node in needed if node.kind != "function" or node.role in ("head", "score")]
    if wrong:
        raise LearnError(
            f"a frozen backbone must not depend on gates or heads, but needs {', '.join(wrong)}. "
            "learn.distill_heads trains early-exit graphs, as attach.exits makes them."
        )
    return tuple(needed)


def _freeze(body: Body) -> Callable[..., Any]:  # Any: a body is opaque
    if not isinstance(body, nn.Module):
        return body
    frozen = copy.deepcopy(body).eval()
    if isinstance(frozen, fx.GraphModule):
        _fuse(frozen)
    lay_out(frozen, torch.channels_last)
    return frozen


def _fuse(module: fx.GraphModule) -> None:
    """Fold each batch normalization into the convolution in front of it: a quarter less time on ResNet-56.

    Not with `torch.fx.experimental.optimization.fuse`: it traces anew, through layers that must stay leaves.
    """
    calls = Counter(node.target for node in module.graph.nodes if node.op == "call_module")
    for node in list(module.graph.nodes):
        before = node.args[0] if node.args else None
        if not (_is_single(node, calls) and isinstance(before, fx.Node) and _is_single(before, calls)):
            continue
        convolution, norm = (module.get_submodule(str(called.target)) for called in (before, node))
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and len(before.users) == 1:
            module.set_submodule(str(before.target), fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            module.graph.erase_node(node)
    module.delete_all_unused_submodules()
    module.recompile()


def _is_single(node: fx.Node, calls: Mapping[Any, int]) -> bool:  # Any: the target of a call is a name or a function
    """True for the only call of a layer: a layer that is called twice must stay as it is."""
    return node.op == "call_module" and calls[node.target] == 1


def channels_last(tensor: Tensor) -> Tensor:
    """The tensor in the memory format that convolutions are quickest with, if it holds pictures.

    Args:
        tensor: Any tensor.

    Returns:
        The same values.
    """
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


def lay_out(module: nn.Module, memory_format: torch.memory_format) -> None:
    """Keep the filters of a module in this memory format.

    Args:
        module: Module whose weights are changed in place.
        memory_format: Format for weights with four axes.
    """
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=memory_format)


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def find_device(bodies: Iterable[Body]) -> torch.device:
    """The device on which the weights of some bodies are.

    Args:
        bodies: Bodies, of which some may be no modules.

    Returns:
        The device of the first weight; the CPU if there are none.
    """
    modules = (body for body in bodies if isinstance(body, nn.Module))
    return next((parameter.device for module in modules for parameter in module.parameters()), torch.device("cpu"))
