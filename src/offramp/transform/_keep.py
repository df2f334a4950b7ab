"""Fewer exits on the same network, without training anything again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from offramp.errors import GraphError
from offramp.graph import Body, Exit, Graph, Node, Pass
from offramp.nn.heads import Ensemble


def keep_exits(graph: Graph, exits: Collection[int]) -> Graph:
    """The graph with some of its exits alone; stages, heads and their weights stay, and so do their names.

    Where an exit goes, its head, scores and gate go, and samples go on to what is still there. Exits that use earlier
    heads use those that are left: an ensemble's weights keep their ratios and their sum.

    Args:
        graph: As `attach.exits` makes it.
        exits: Which to keep, counted from 0 in graph order; the final one always stays.

    Returns:
        A new graph, or the one given if all of its exits are kept.

    Raises:
        GraphError: There is no such exit.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from offramp import attach
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> keep_exits(attach.exits(net, torch.zeros(2, 8), placement=[0, 1]), [1]).exits[0].name
        'exit1/head'
    """
    return KeepExits(exits=tuple(sorted(set(exits))))(graph)


@dataclass(frozen=True, kw_only=True)
class KeepExits(Pass):
    """`keep_exits` as a pass.

    Attributes:
        exits: Which to keep, in ascending order, counted from 0 in graph order.
    """

    name: ClassVar[str] = "keep_exits"
    exits: tuple[int, ...]

    def requires(self, graph: Graph) -> None:
        """Refuse exits that the graph does not have.

        Args:
            graph: The graph whose exits are to be kept.

        Raises:
            GraphError: There is no such exit.
        """
        early = graph.exits[:-1]
        wrong = sorted(set(self.exits) - set(range(len(early))))
        if wrong:
            raise GraphError(
                f"there are {len(early)} exits before the final one, but {wrong} should be kept. Count from 0."
            )

    def apply(self, graph: Graph) -> Graph:
        """The graph with these exits alone.

        Args:
            graph: A graph that `requires` did not refuse.

        Returns:
            A new graph, or the one given if all of its exits are kept.
        """
        dropped = [exit for at, exit in enumerate(graph.exits[:-1]) if at not in self.exits]
        return _drop(graph, dropped) if dropped else graph


def _drop(graph: Graph, exits: Sequence[Exit]) -> Graph:
    """The graph without these exits."""
    gone = frozenset[str]().union(*(exit.parts for exit in exits))
    onward = {name: _onward(exit) for exit in exits for name in exit.parts}
    kept = [node for node in graph.nodes if node.name not in gone]
    nodes = [_without(_redirected(node, onward), gone) for node in kept]
    answer = graph.answer
    if nodes[-1].kind == "select" and len(nodes[-1].inputs) == 1:
        answer = nodes.pop().inputs[0].source
    bodies = {node.name: _body(graph, node) for node in nodes if node.name in graph.bodies}
    return Graph(nodes=tuple(nodes), answer=answer, bodies=bodies)


def _onward(exit: Exit) -> str:
    """The node that samples come to next that do not stop at an exit."""
    assert exit.gate is not None, "only the final exit has none"
    return next(name for name in reversed(exit.gate.edges) if name not in exit.parts)


def _redirected(node: Node, onward: Mapping[str, str]) -> Node:
    """A gate that leads on to what is still there, where the next exit at its place is gone."""
    edges = list(node.edges)
    for at, name in enumerate(edges):
        while name in onward:
            name = onward[name]  # the way from exit to exit
        edges[at] = name
    return replace(node, edges=tuple(edges))


def _without(node: Node, gone: Collection[str]) -> Node:
    """A node that reads nothing of what is gone: select, and all that knows earlier heads."""
    return replace(node, inputs=tuple(edge for edge in node.inputs if edge.source not in gone))


def _body(graph: Graph, node: Node) -> Body:
    """What the node had, or an ensemble of what it still reads."""
    body, before = graph.bodies[node.name], graph[node.name].inputs
    if not isinstance(body, Ensemble) or node.inputs == before:
        return body
    return body.keep([at for at, edge in enumerate(before) if edge in node.inputs])
