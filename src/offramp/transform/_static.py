"""Graphs without conditions, cut out of a conditional one: what efficiency and gain are measured against."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import nn

from offramp.errors import GraphError
from offramp.graph import DataEdge, Exit, Graph, Node, find_ancestors, find_baseline
from offramp.graph import Tensor as Spec


def static_path(graph: Graph, exit: str) -> Graph:
    """Everything that a sample that answers at an exit runs, stages and heads, but no scores and no gates.

    Save it with `dense=True`: then the heads on the way are outputs too, and no engine can leave them out.

    Args:
        graph: An early-exit graph.
        exit: Name of one of its exits.

    Raises:
        GraphError: The graph has no such exit.
    """
    _find_exit(graph, exit)
    nodes = _plain(graph, find_ancestors(graph, exit))
    present = {node.name for node in nodes}
    return _answering(graph, nodes, [one.name for one in graph.exits if one.name in present])


def backbone(graph: Graph, exit: str | None = None) -> Graph:
    """The network that the exits were attached to: what the final exit reads, and nothing else.

    Of a graph from `add_fallback` it is the first of the two networks, that behind which the other one stands; see
    `graph.find_baseline`.

    Args:
        graph: An early-exit graph.
        exit: Another exit, to get the plain smaller network that ends there.

    Raises:
        GraphError: The graph has no such exit.
    """
    end = find_baseline(graph).name if exit is None else _find_exit(graph, exit).name
    return _answering(graph, _plain(graph, find_ancestors(graph, end, through_control=False)), [end])


def head_alone(graph: Graph, exit: str) -> Graph:
    """What an early exit runs of its own, its head and if it has one its ensemble; scores left out.

    Its inputs are what these read of others: `features`, then `features1` and so on, a mask or earlier heads' logits.

    Args:
        graph: An early-exit graph.
        exit: Name of one of its early exits.

    Raises:
        GraphError: The graph has no such exit.
    """
    found = _find_exit(graph, exit)
    own = [node for node in graph.nodes if node.name in (found.name, found.head.name)]
    names = {node.name for node in own}
    edges = dict.fromkeys(edge for node in own for edge in node.inputs if edge.source not in names)
    given = {edge: f"features{at or ''}" for at, edge in enumerate(edges)}
    inputs = [
        Node(name=name, kind="input", outputs=(graph[edge.source].outputs[edge.output],))
        for edge, name in given.items()
    ]
    heads = [
        replace(node, inputs=tuple(DataEdge(source=given[edge]) if edge in given else edge for edge in node.inputs))
        for node in own
    ]
    return Graph(nodes=(*inputs, *heads), answer=exit, bodies={name: graph.bodies[name] for name in names})


def nothing(graph: Graph) -> Graph:
    """A network with the same inputs that does next to nothing: what a call costs by itself."""
    read = DataEdge(source=graph.inputs[0].name)
    node = Node(name="nothing", kind="function", inputs=(read,), outputs=(Spec(shape=(1,)),))
    return Graph(nodes=(*graph.inputs, node), answer="nothing", bodies={"nothing": _FirstNumber()})


class _FirstNumber(nn.Module):
    """The first number of every row."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, 1] of [B, ...]."""
        return x.flatten(1)[:, :1].float()


def _find_exit(graph: Graph, name: str) -> Exit:
    found = {exit.name: exit for exit in graph.exits}
    if name not in found:
        raise GraphError(f"the exit must be one of {', '.join(found)}, but is {name!r}. Name one of them.")
    return found[name]


def _plain(graph: Graph, names: Collection[str]) -> list[Node]:
    """Those of the named nodes that compute something which is no score."""
    scores = {score.name for exit in graph.exits for score in exit.scores.values()}
    return [
        node
        for node in graph.nodes
        if node.name in names and node.name not in scores and node.kind in ("input", "function")
    ]


def _answering(graph: Graph, nodes: list[Node], exits: list[str]) -> Graph:
    """A graph of these nodes whose exits are all answers, the last one first."""
    answer = exits[0]
    if len(exits) > 1:
        answer = "answer"
        inputs = tuple(DataEdge(source=name) for name in reversed(exits))
        nodes = [*nodes, Node(name=answer, kind="select", inputs=inputs, outputs=graph[graph.answer].outputs)]
    names = {node.name for node in nodes}
    return Graph(
        nodes=tuple(nodes), answer=answer, bodies={name: body for name, body in graph.bodies.items() if name in names}
    )
