"""What both ways of capturing give: one graph of operations whose only output are the logits."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn
from torch.fx import Graph, GraphModule, Node

Module = TypeVar("Module", bound=nn.Module)
LEAST = 1e-7  # a probability below it is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A captured network.

    Attributes:
        module: Graph of placeholders in the order of the inputs, then operations, then one output.
        eval_only: True if training mode changes nothing in it.
    """

    module: GraphModule
    eval_only: bool


def without_dead_code(module: GraphModule) -> GraphModule:
    """The module after operations are gone whose results are not read, where dropping them is harmless."""
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def with_logarithm(module: GraphModule) -> GraphModule:
    """The module with the logarithm of its answer as its answer, for networks that answer with probabilities."""
    output = next(node for node in module.graph.nodes if node.op == "output")
    with module.graph.inserting_before(output):
        positive = module.graph.call_function(torch.clamp, (output.args[0],), {"min": LEAST})
        output.args = (module.graph.call_function(torch.log, (positive,)),)
    module.recompile()
    return module


def copy_sharing_weights(module: Module) -> Module:
    """A copy with its own buffers and flags, for runs whose side effects must not stay; parameters are the same."""
    return copy.deepcopy(module, {id(weight): weight for weight in module.parameters()})


def module_from_graph(root: nn.Module, graph: Graph, name: str) -> GraphModule:
    """A module that runs a graph with the weights of `root`; buffers that `root` does not save are not saved either."""
    module = GraphModule(root, graph, name)
    unsaved = {name for name, _ in root.named_buffers()} - root.state_dict().keys()
    for path, owner in module.named_modules():
        prefix = f"{path}." if path else ""
        owner._non_persistent_buffers_set |= {own for own in owner._buffers if prefix + own in unsaved}
    return module


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a module, as a node inside it remembers it.

    Attributes:
        key: Unique for the call; a module that is called twice has two.
        name: The module's dotted name.
        container: True if the module only holds others, one after the other.
    """

    key: str
    name: str
    container: bool


def calls_around(node: Node) -> tuple[Call, ...]:
    """The module calls that a node is part of, outermost first; the model itself is left out."""
    stack = node.meta.get("nn_module_stack") or {}
    calls = ((str(key), *entry) for key, entry in stack.items())
    return tuple(
        Call(key=f"{key} {path}", name=_clean(path), container=_is_container(kind))
        for key, path, kind in calls
        if _clean(path)
    )


def _clean(path: str) -> str:
    """The dotted name alone: an exported graph writes L['self'].layer1@1 for the second call of layer1."""
    name = path.removeprefix("L['self']").removeprefix(".").partition("@")[0]
    return "" if name.startswith("_empty_nn_module_stack") else name


def _is_container(kind: type | str) -> bool:
    if isinstance(kind, str):
        return kind.startswith("torch.nn.modules.container.")
    return issubclass(kind, nn.Sequential | nn.ModuleList | nn.ModuleDict)
