"""Small conditional graphs for tests: random ones with integer arithmetic, and the shapes that users build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

from offramp.errors import GraphError
from offramp.graph import DataEdge, Gate, Graph, Node, Tensor, find_regions

WIDTH = 3
ROW = Tensor(shape=(WIDTH,))
NUMBER = Tensor(shape=())
STOP_HIGH = Gate(direction="higher", stop_all=-1e9, stop_none=1e9)
STOP_LOW = Gate(direction="lower", stop_all=1e9, stop_none=-1e9)


class Mix(nn.Module):
    """Integer-valued: a weighted sum of the inputs, folded into -8..8, so that every engine is exact."""

    def __init__(self, seed: int, inputs: int, outputs: int) -> None:
        super().__init__()
        generator = np.random.default_rng(seed)
        self.weight = nn.Parameter(
            torch.tensor(generator.integers(-3, 4, (inputs, outputs, WIDTH)), dtype=torch.float32)
        )
        self.bias = nn.Parameter(torch.tensor(generator.integers(-3, 4, (outputs, WIDTH)), dtype=torch.float32))
        self.outputs = outputs

    def forward(self, *given: torch.Tensor) -> Any:
        results = []
        for out in range(self.outputs):
            total = self.bias[out].unsqueeze(0)
            for at, value in enumerate(given):
                total = total + value * self.weight[at, out]
            results.append(torch.remainder(total, 17.0) - 8.0)
        return results[0] if self.outputs == 1 else tuple(results)


class Sum(nn.Module):
    """A score: the sum of the entries."""

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value.sum(dim=1)


class First(nn.Module):
    """A controller: the first entries are the scores of its edges."""

    def __init__(self, edges: int) -> None:
        super().__init__()
        self.edges = edges

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value[:, : self.edges]


def with_numpy_bodies(graph: Graph) -> Graph:
    """The same graph with bodies that the reference interpreter can call."""
    return graph.with_bodies({name: _as_numpy(body) for name, body in graph.bodies.items()})


def _as_numpy(body: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: np.ndarray) -> Any:
        with torch.no_grad():
            result = body(*(torch.as_tensor(value) for value in given))
        return tuple(value.numpy() for value in result) if isinstance(result, tuple) else result.numpy()

    return call


def make_chain(exits: int = 2, gate: Gate = STOP_HIGH, seed: int = 0) -> Graph:
    """An early-exit network: input, stages, heads, scores, gates, select."""
    nodes: list[Node] = [Node(name="x", kind="input", outputs=(ROW,))]
    bodies: dict[str, nn.Module] = {}
    feature = "x"
    for at in range(exits + 1):
        nodes.append(
            Node(name=f"stage{at}", kind="function", inputs=(DataEdge(source=feature),), outputs=(ROW,), role="stage")
        )
        bodies[f"stage{at}"] = Mix(seed + at, 1, 1)
        feature = f"stage{at}"
        if at == exits:
            break
        name = f"exit{at}"
        nodes += [
            Node(name=f"{name}/head", kind="function", inputs=(DataEdge(source=feature),), outputs=(ROW,), role="head"),
            Node(
                name=f"{name}/score", kind="function", outputs=(NUMBER,), role="score",
                inputs=(DataEdge(source=f"{name}/head"),), recipe={"score": "sum"},
            ),
            Node(
                name=f"{name}/gate", kind="control", inputs=(DataEdge(source=f"{name}/score"),), gate=gate,
                edges=(f"{name}/stop", f"stage{at + 1}"),
            ),
            Node(name=f"{name}/stop", kind="dummy"),
        ]  # fmt: skip
        bodies |= {f"{name}/head": Mix(seed + 50 + at, 1, 1), f"{name}/score": Sum()}
    preferred = [f"stage{exits}", *(f"exit{at}/head" for at in reversed(range(exits)))]
    nodes.append(
        Node(name="answer", kind="select", inputs=tuple(DataEdge(source=name) for name in preferred), outputs=(ROW,))
    )
    return Graph(nodes=tuple(nodes), answer="answer", bodies=bodies)


def with_other_names(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """The same graph with names that say nothing, and those by the old ones."""
    new = {node.name: f"n{at}" for at, node in enumerate(graph.nodes)}
    nodes = tuple(
        replace(
            node,
            name=new[node.name],
            inputs=tuple(replace(edge, source=new[edge.source]) for edge in node.inputs),
            edges=tuple(new[edge] for edge in node.edges),
        )
        for node in graph.nodes
    )
    bodies = {new[name]: body for name, body in graph.bodies.items()}
    return Graph(nodes=nodes, answer=new[graph.answer], bodies=bodies), new


@st.composite
def random_graphs(draw: st.DrawFn) -> Graph:  # noqa: C901, PLR0915 (one recipe, read from top to bottom)
    """Any legal graph: gates and controllers inside regions, defaults, leaves, alternatives, partial selects."""
    nodes: list[Node] = [Node(name="x", kind="input", outputs=(ROW,))]
    bodies: dict[str, nn.Module] = {}
    waiting: list[tuple[str, int]] = []  # (control node, edge index) that still need a target
    opened: dict[str, list[str]] = {}

    def sources() -> list[tuple[str, int]]:
        return [
            (node.name, at) for node in nodes for at in range(len(node.outputs)) if node.outputs[at].shape == (WIDTH,)
        ]

    def edge(default: bool) -> DataEdge:
        name, output = draw(st.sampled_from(sources()))
        fill = draw(st.sampled_from([0.0, 0.0, 5.0])) if default and draw(st.booleans()) else None
        return DataEdge(source=name, output=output, default=fill)

    for at in range(draw(st.integers(3, 12))):
        kind = draw(st.sampled_from(["function", "function", "control", "gate", "select"]))
        name = f"n{at}"
        if kind == "function":
            inputs = tuple(edge(default=True) for _ in range(draw(st.integers(1, 3))))
            outputs = draw(st.integers(1, 2))
            node = Node(name=name, kind="function", inputs=inputs, outputs=(ROW,) * outputs)
            if waiting and draw(st.integers(0, 3)):  # type: ignore[arg-type]  # as it is at run time
                control, index = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
                opened[control][index] = name
            if not _legal([*nodes, node], opened):
                for control, targets in opened.items():
                    if name in targets:
                        waiting.append((control, targets.index(name)))
                        targets[targets.index(name)] = ""
                continue
            nodes.append(node)
            bodies[name] = Mix(draw(st.integers(0, 999)), len(inputs), outputs)
        elif kind == "select":
            chosen = tuple(edge(default=False) for _ in range(draw(st.integers(1, 3))))
            node = Node(name=name, kind="select", inputs=chosen, outputs=(ROW,))
            if _legal([*nodes, node], opened):
                nodes.append(node)
        else:
            source = edge(default=False)
            count = 2 if kind == "gate" else draw(st.integers(2, 3))
            gate = draw(st.sampled_from([STOP_HIGH, STOP_LOW])) if kind == "gate" else None
            if kind == "gate":
                nodes.append(Node(name=f"{name}s", kind="function", inputs=(source,), outputs=(NUMBER,)))
                bodies[f"{name}s"] = Sum()
                source = DataEdge(source=f"{name}s")
            else:
                bodies[name] = First(count)
            nodes.append(Node(name=name, kind="control", inputs=(source,), edges=("",) * count, gate=gate))
            opened[name] = [""] * count
            waiting += [(name, index) for index in range(count)]
    nodes.append(Node(name="spare", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,)))
    bodies["spare"] = Mix(draw(st.integers(0, 999)), 1, 1)
    preferred = [DataEdge(source=name, output=at) for name, at in draw(st.permutations(sources()))[:5]]
    preferred = [entry for entry in preferred if entry.source != "x"] + [DataEdge(source="spare")]
    nodes.append(Node(name="answer", kind="select", inputs=tuple(preferred), outputs=(ROW,)))
    return Graph(nodes=tuple(_with_targets(nodes, opened)), answer="answer", bodies=bodies)


def _with_targets(nodes: list[Node], opened: dict[str, list[str]]) -> list[Node]:
    """Nodes with their control edges, dummies where nothing was found."""
    done: list[Node] = []
    for node in nodes:
        if node.kind != "control":
            done.append(node)
            continue
        targets = [target or f"{node.name}d{index}" for index, target in enumerate(opened[node.name])]
        done.append(
            Node(name=node.name, kind="control", inputs=node.inputs, edges=tuple(targets), gate=node.gate),
        )
        done += [Node(name=target, kind="dummy") for target in targets if target.startswith(f"{node.name}d")]
    return done


def _legal(nodes: list[Node], opened: dict[str, list[str]]) -> bool:
    """True if the nodes so far, with a spare answer, obey the laws."""
    spare = Node(name="spare", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,))
    try:
        graph = Graph(nodes=(*_with_targets(nodes, opened), spare), answer="spare")
        find_regions(graph.nodes)
    except GraphError:
        return False
    return True
