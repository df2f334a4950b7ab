"""Exits: the places where a sample may get its answer, as the edges of a graph show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from ._node import Node
from ._reach import find_regions, tips


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """One place where a sample may get its answer.

    Attributes:
        name: Name of the node that answers.
        head: The node that computes this exit's own logits. It is the node that answers, but for an ensemble, which
            weighs the logits of its own head with those of earlier ones.
        scores: By name of the score, the nodes that judge the answer of this exit; the first one is the gate's.
        gate: The control node that lets samples stop here; None for the final exit.
        stop: The dummy node that the gate opens for the samples that stop here; None if it opens the head itself.
        cut: How many exits were attached before this one. Unlike the position in `Graph.exits` it stays what it is
            when other exits are dropped. None for the final exit, and where no exit was attached.
    """

    name: str
    head: Node
    scores: Mapping[str, Node]
    gate: Node | None = None
    stop: Node | None = None
    cut: int | None = None

    @property
    def parts(self) -> frozenset[str]:
        """Names of all the nodes that only this exit is made of: a graph without the exit lacks them."""
        judges = [*self.scores.values(), *([self.gate] if self.gate else []), *([self.stop] if self.stop else [])]
        return frozenset({self.name, self.head.name, *(node.name for node in judges)})


def find_exits(nodes: Mapping[str, Node], answer: str) -> tuple[Exit, ...]:
    """The exits of a graph in graph order, the final one last.

    Args:
        nodes: The nodes by name, in graph order.
        answer: Name of the node that gives the graph's answer.

    Returns:
        One exit for each input of the select node that answers, or a single one if the answer is no select node.
    """
    sources = {edge.source for edge in nodes[answer].inputs} if nodes[answer].kind == "select" else {answer}
    names = [name for name in nodes if name in sources]
    scores = _find_scores(nodes, sources)
    gates = {name: _find_gate(name, scores[name], nodes) for name in names[:-1]}
    return tuple(
        Exit(
            name=name,
            head=_find_head(nodes[name], nodes),
            scores=scores[name],
            gate=gates.get(name),
            stop=_find_stop(gates.get(name), nodes),
            cut=nodes[name].exit,
        )
        for name in names
    )


def _find_head(node: Node, nodes: Mapping[str, Node]) -> Node:
    return nodes[node.inputs[0].source] if node.role == "ensemble" else node


def _find_scores(nodes: Mapping[str, Node], exits: Set[str]) -> dict[str, dict[str, Node]]:
    """By exit, the scores that judge its answer: a score reads that answer before all other answers."""
    compared = {node.inputs[0].source for node in nodes.values() if node.gate is not None}
    found: dict[str, dict[str, Node]] = {name: {} for name in exits}
    for node in nodes.values():
        if node.role == "score" or node.name in compared:
            judged = next((edge.source for edge in node.inputs if edge.source in exits), None)
            if judged is not None:
                found[judged][name_score(node)] = node
    return found


def name_score(node: Node) -> str:
    """The name of the score that a node computes, as its recipe says it; without a recipe the node's own name."""
    return str((node.recipe or {}).get("score", node.name))


def _find_gate(exit: str, scores: Mapping[str, Node], nodes: Mapping[str, Node]) -> Node | None:
    """The control node that judges the answer, or else the one behind whose edge the answer is computed."""
    judged = {exit, *(node.name for node in scores.values())}
    controls = (node for node in nodes.values() if node.kind == "control")
    judge = next((node for node in controls if judged & set(_sources(node))), None)
    if judge is not None:
        return judge
    regions = find_regions(list(nodes.values()))
    ends = tips(regions[exit], regions)
    return nodes[ends[0][0]] if len(ends) == 1 else None


def _find_stop(gate: Node | None, nodes: Mapping[str, Node]) -> Node | None:
    opened = gate.edges if gate is not None else ()
    return next((nodes[name] for name in opened if nodes[name].kind == "dummy"), None)


def _sources(node: Node) -> Iterator[str]:
    return (edge.source for edge in node.inputs)
