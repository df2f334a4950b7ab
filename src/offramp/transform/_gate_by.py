"""Gates that compare another of the scores that a graph has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from offramp.errors import OptionError, suggest
from offramp.graph import Body, DataEdge, Graph, Node
from offramp.nn.scores import gate_of


def gate_by(graph: Graph, score: str) -> Graph:
    """The same exits, weights and scores, with gates that compare this score.

    What comes out is the graph that `attach.exits` makes if this score is named first and the others follow in the
    order in which they are, with the bodies that are here.

    Args:
        graph: As `attach.exits` makes it, trained or not; its scores are read by nobody but the gates.
        score: One that the graph has at every exit.

    Raises:
        OptionError: An exit has no such score.

    Example:
        >>> import torch
        >>> from offramp import attach
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
        >>> graph = attach.exits(net, torch.zeros(2, 8), count=1, placement="1", scores=("margin", "entropy"))
        >>> [gate.gate.direction for gate in (*graph.gates, *gate_by(graph, "entropy").gates)]
        ['higher', 'lower']
    """
    nodes = {node.name: node for node in graph.nodes}
    bodies: dict[str, Body] = dict(graph.bodies)
    for gate in graph.gates:
        first = graph[gate.inputs[0].source]
        places = [node for node in graph.nodes if node.role == "score" and _same_answers(node, first)]
        chosen = _find(places, score)
        for place in places:
            del bodies[place.name]
        for place, node in zip(places, [chosen, *(one for one in places if one is not chosen)], strict=True):
            name = first.name if node is chosen else f"{first.name}/{score_name(node)}"
            nodes[place.name] = replace(node, name=name)
            bodies[name] = graph.bodies[node.name]
        nodes[gate.name] = _reading(gate, first.name, bodies[first.name])
    return Graph(nodes=tuple(nodes.values()), answer=graph.answer, bodies=bodies)


def _find(places: list[Node], score: str) -> Node:
    known = {score_name(node): node for node in places}
    if score not in known:
        raise OptionError(
            f"gates must compare a score that the graph has ({', '.join(known)}), but got {score!r}. "
            f"{suggest(score, known)}"
        )
    return known[score]


def _same_answers(score: Node, other: Node) -> bool:
    """True for scores of one exit: they judge the same logits, but not all read the same besides."""
    return score.inputs[1] == other.inputs[1]


def score_name(node: Node) -> str:
    """Which score a node computes, as users write it."""
    return str((node.recipe or {})["score"])


def _reading(gate: Node, source: str, score: Any) -> Node:  # Any: a Score that is also a module
    return replace(gate, inputs=(DataEdge(source=source),), gate=gate_of(score))
