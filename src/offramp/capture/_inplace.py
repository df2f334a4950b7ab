"""Operations that overwrite their input, made to give a new tensor instead."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.fx import Graph, Node

_OPERATORS: Mapping[Any, Callable[..., Any]] = {  # Any: functions
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.ifloordiv: operator.floordiv,
    operator.imatmul: operator.matmul,
    operator.ipow: operator.pow,
    operator.iand: operator.and_,
    operator.ior: operator.or_,
    operator.ixor: operator.xor,
}


def make_out_of_place(graph: Graph) -> None:
    """Rewrite a traced graph so that no tensor changes after it was made.

    A stage may hand a tensor to a head and to the next stage: overwriting it in one would change the other. What read
    the overwritten tensor afterwards now reads the new one. Views of it do not follow, which `capture` finds out by
    comparing answers; items are never set in such a graph, tracing refuses that.

    Args:
        graph: Traced graph; it is changed in place.
    """
    for node in list(graph.nodes):
        replacement = _out_of_place(node)
        if replacement is not None:
            overwritten = node.args[0] if node.args else node.kwargs.get("input")
            node.op, node.target, node.kwargs = replacement
            if isinstance(overwritten, Node):
                _redirect_later(overwritten, node)


def _out_of_place(node: Node) -> tuple[str, Any, dict[str, Any]] | None:
    """Operation, target and keywords that give a new tensor; None if the node already does."""
    if node.op == "call_method":
        plain = _plain(str(node.target), torch.Tensor)
        return None if plain is None else ("call_method", plain, dict(node.kwargs))
    if node.op != "call_function":
        return None
    if node.kwargs.get("inplace") is True:
        return "call_function", node.target, {**node.kwargs, "inplace": False}
    if node.target in _OPERATORS:
        return "call_function", _OPERATORS[node.target], dict(node.kwargs)
    name = getattr(node.target, "__name__", "")
    for owner in (torch, torch.nn.functional):
        plain = _plain(name, owner)
        if plain is not None and node.target is getattr(owner, name, None):
            return "call_function", getattr(owner, plain), dict(node.kwargs)
    return None


def _plain(name: str, owner: object) -> str | None:
    """The name of what gives a new tensor: relu_ gives relu; None for other names."""
    plain = name[:-1]
    return plain if name.endswith("_") and not name.endswith("__") and hasattr(owner, plain) else None


def _redirect_later(overwritten: Node, since: Node) -> None:
    """Make every reader of `overwritten` that comes after `since` read the new tensor."""
    later: set[Node] = set()
    step = since.next
    while step.op != "root":
        later.add(step)
        step = step.next
    overwritten.replace_all_uses_with(since, delete_user_cb=lambda user: user in later)
