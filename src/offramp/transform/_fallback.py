"""The network a second time, behind itself: for copies in few bits that are not always sure enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from offramp.attach import make_function, make_gate, make_score
from offramp.errors import GraphError
from offramp.graph import Body, DataEdge, Graph, Node
from offramp.nn.scores import FittedScore, HeadConfidence, build_score

from ._gate_by import score_name

NAME = "fallback"  # of the node, and its role


def add_fallback(graph: Graph) -> Graph:
    """The graph with one exit more, the network's own end, and the whole network once more for those who go on.

    Answers stay what they are, since the second network has the weights of the first. It pays where an export gives
    the first one fewer bits: who is sure of the answer in 8 bits leaves with it, and only the others pay for floats.

    Args:
        graph: As `attach.exits` makes it, trained or not, with or without exits. Scores that are fitted are left out:
            there is nothing to fit at an end that always agrees with itself.

    Raises:
        GraphError: The graph is no chain of stages whose gates compare thresholds, has a fallback, or its gates compare
            a score that is fitted.

    Example:
        >>> from offramp import attach
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> add_fallback(attach.exits(net, torch.zeros(2, 8), count=1, placement="1")).exits
        ('exit0/head', 'exit1/head', 'fallback')
    """
    stages = [node for node in graph.nodes if node.role == "stage"]
    _check(graph, stages)
    graph = _without_fitted(graph)
    last, at = stages[-1], len((stages[0].recipe or {}).get("cuts", ()))  # as many exits were attached, if not kept
    logits, eval_only = last.outputs[:1], any(node.eval_only for node in stages)
    recipe = {"kind": NAME, "options": {}}
    head = make_function(f"exit{at}/head", (DataEdge(source=last.name),), logits, "head", recipe)
    scores = list(_scores(graph, at, head, last))
    gate = make_gate(at, scores[0][1], NAME)
    stop = Node(name=f"exit{at}/stop", kind="dummy")
    whole = make_function(NAME, stages[0].inputs, logits, NAME, {}, eval_only=eval_only)
    exits = [whole.name, head.name, *reversed(graph.exits[:-1])]
    answer = Node(
        name="answer", kind="select", inputs=tuple(DataEdge(source=name) for name in exits), outputs=whole.outputs
    )
    kept = [node for node in graph.nodes if node.kind != "select"]
    bodies: dict[str, Body] = {**graph.bodies, head.name: _Same(), **{node.name: body for node, body in scores}}
    bodies[NAME] = _Chain([graph.bodies[node.name] for node in stages])
    return Graph(
        nodes=(*kept, head, *(node for node, _ in scores), gate, stop, whole, answer),
        answer=answer.name,
        bodies=bodies,
    )


def has_fallback(graph: Graph) -> bool:
    """Whether `add_fallback` made it."""
    return any(node.role == NAME for node in graph.nodes)


class _Same(nn.Module):
    """What the stage before it answers."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """[B, K] as they came."""
        return logits.clone()


class _Chain(nn.Module):
    """Stages one after the other; it shares their weights."""

    def __init__(self, stages: Sequence[Body]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stage for stage in stages if isinstance(stage, nn.Module))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Logits [B, K] of what the first stage takes."""
        values = inputs
        for stage in self.stages:
            given = stage(*values)
            values = (given,) if isinstance(given, torch.Tensor) else tuple(given)
        return values[0]


def _check(graph: Graph, stages: Sequence[Node]) -> None:
    bodies = [graph.bodies.get(node.name) for node in stages]
    if not bodies or has_fallback(graph) or not all(isinstance(body, nn.Module) for body in bodies):
        raise GraphError("a fallback needs a network in stages of PyTorch, without one yet. Attach exits to a network.")
    if any(gate.gate is None for gate in graph.controls):
        raise GraphError(
            "a fallback needs gates that compare a score with a threshold, but this graph has other control nodes. "
            "Give it one from attach.exits."
        )
    fitted = [gate.inputs[0].source for gate in graph.gates if _is_fitted(graph, gate.inputs[0].source)]
    if fitted:
        raise GraphError(
            f"gates in front of a fallback must compare a score that needs no fitting, but {fitted[0]} needs it. "
            "Gate by max_probability, margin or entropy."
        )


def _is_fitted(graph: Graph, score: str) -> bool:
    """After the heads, or with them."""
    return isinstance(graph.bodies[score], FittedScore | HeadConfidence)


def _without_fitted(graph: Graph) -> Graph:
    gone = {node.name for node in graph.nodes if node.role == "score" and _is_fitted(graph, node.name)}
    return Graph(
        nodes=tuple(node for node in graph.nodes if node.name not in gone),
        answer=graph.answer,
        bodies={name: body for name, body in graph.bodies.items() if name not in gone},
    )


def _scores(graph: Graph, at: int, head: Node, last: Node) -> Iterator[tuple[Node, Any]]:  # Any: a score's module
    """Of the network's own end, the same that the other exits have, in their order."""
    first = next((gate.inputs[0].source.partition("/")[0] for gate in graph.gates), None)
    known = [node for node in graph.nodes if node.role == "score" and node.name.partition("/")[0] == first]
    shape = last.outputs[0].shape
    reads = tuple(DataEdge(source=name) for name in (last.name, head.name, *graph.exits[:-1]))
    for which, name in enumerate([score_name(node) for node in known] or ["max_probability"]):
        yield make_score(at, which, name, reads), build_score(name, shape, shape[-1])
