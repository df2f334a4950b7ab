"""Fewer exits on the same network, without training anything again."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from offramp.errors import GraphError
from offramp.graph import Body, Graph, Node
from offramp.nn.heads import Ensemble


def keep_exits(graph: Graph, exits: Collection[int]) -> Graph:
    """The graph with some of its exits alone; stages, heads and their weights stay, and so do their names.

    Where an exit goes, its head, scores and gate go, and whoever is still there goes on. Exits that listen to earlier
    heads hear those that are left: an ensemble's weights keep their ratios and their sum.

    Args:
        graph: As `attach.exits` makes it.
        exits: Which to keep, counted from 0 in graph order; the final one always stays.

    Raises:
        GraphError: There is no such exit.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from offramp import attach
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> keep_exits(attach.exits(net, torch.zeros(2, 8), placement=[0, 1]), [1]).exits
        ('exit1/head', 'stage2')
    """
    heads = graph.exits[:-1]
    wrong = sorted(set(exits) - set(range(len(heads))))
    if wrong:
        raise GraphError(
            f"there are {len(heads)} exits before the final one, but {wrong} should be kept. Count from 0."
        )
    gone = {head.rpartition("/")[0] for at, head in enumerate(heads) if at not in exits}
    kept = [node for node in graph.nodes if node.name.partition("/")[0] not in gone]
    nodes = [_without(_redirected(node, graph, gone), gone) for node in kept]
    answer = graph.answer
    if nodes[-1].kind == "select" and len(nodes[-1].inputs) == 1:
        answer = nodes.pop().inputs[0].source
    bodies = {node.name: _body(graph, node) for node in nodes if node.name in graph.bodies}
    return Graph(nodes=tuple(nodes), answer=answer, bodies=bodies)


def exit_numbers(graph: Graph) -> tuple[int, ...]:
    """Which of the exits that `attach.exits` attached a graph still has: `keep_exits` leaves their names as they were.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from offramp import attach
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> exit_numbers(keep_exits(attach.exits(net, torch.zeros(2, 8), placement=["1", "3"]), [1]))
        (1,)
    """
    named = (re.fullmatch(r"exit(\d+)/(?:head|ensemble)", name) for name in graph.exits[:-1])
    return tuple(int(found[1]) for found in named if found)


def _redirected(node: Node, graph: Graph, gone: Collection[str]) -> Node:
    """A gate that leads on to who is still there, where the next exit at its place is gone."""
    edges = list(node.edges)
    for at, name in enumerate(edges):
        while name.partition("/")[0] in gone:
            name = graph[f"{name.partition('/')[0]}/gate"].edges[-1]  # the way from exit to exit
        edges[at] = name
    return replace(node, edges=tuple(edges))


def _without(node: Node, gone: Collection[str]) -> Node:
    """A node that reads nothing of what is gone: select, and all that knows earlier heads."""
    return replace(node, inputs=tuple(edge for edge in node.inputs if edge.source.partition("/")[0] not in gone))


def _body(graph: Graph, node: Node) -> Body:
    """What the node had, or an ensemble of what it still reads."""
    body, before = graph.bodies[node.name], graph[node.name].inputs
    if not isinstance(body, Ensemble) or node.inputs == before:
        return body
    return body.keep([at for at, edge in enumerate(before) if edge in node.inputs])
