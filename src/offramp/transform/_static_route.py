"""One way through a conditional graph as a plain network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from offramp.errors import GraphError
from offramp.graph import Body, DataEdge, Graph, Node, Tensor, find_ancestors, find_regions


def static_route(graph: Graph, route: Sequence[int]) -> Graph:
    """What the answer of a sample on this route is made of: a network without control nodes.

    Selects are gone, and where a default value was read there is a constant. With fresh weights it is the fixed network
    to compare with; with its own it is the ideal of this route.

    Args:
        graph: Any conditional graph.
        route: A row of `route`, such as `graph.find_routes` lists them.

    Returns:
        A graph without control nodes.

    Raises:
        GraphError: No sample can take this route, or the answer is null on it.

    Example:
        >>> from offramp.attach import d2nn
        >>> table = '''
        ...     q: x -> a, b
        ...     a: x | fc 8 | fc 3
        ...     b: x | fc 3
        ...     answer: a or b
        ... '''
        >>> [node.name for node in static_route(d2nn(table, (4,)), [1]).nodes]
        ['x', 'b']
    """
    regions = find_regions(graph.nodes)
    opened = {(control.name, int(edge)) for control, edge in zip(graph.controls, route, strict=False)}
    if len(route) != len(graph.controls) or not all(
        _can_open(graph[name], at, regions[name] <= opened) for name, at in opened
    ):
        raise GraphError(f"a route must be one that a sample can take, but is {list(route)}. See graph.find_routes.")
    ran = [node for node in graph.nodes if regions[node.name] <= opened]
    origins = _origins(ran)
    if graph.answer not in origins:
        raise GraphError(f"the answer {graph.answer!r} is null on route {list(route)}. Take another one.")
    nodes: list[Node] = list(graph.inputs)
    bodies: dict[str, Body] = {}
    for node in ran:
        if node.kind == "function":
            constants = dict(_constants(graph, node, origins))
            nodes += [constant for constant, _ in constants.values()]
            bodies |= {constant.name: body for constant, body in constants.values()}
            nodes.append(replace(node, inputs=tuple(_edge(edge, origins, constants) for edge in node.inputs)))
            bodies |= {node.name: graph.bodies[node.name]} if node.name in graph.bodies else {}
    end = origins[graph.answer]
    if end.output or graph[end.source].kind == "input":  # an answer is a first output of a node that computes
        nodes.append(replace(graph[graph.answer], inputs=(end,)))
    whole = Graph(
        nodes=tuple(nodes), answer=nodes[-1].name if nodes[-1].kind == "select" else end.source, bodies=bodies
    )
    needed = find_ancestors(whole, whole.answer) | {node.name for node in graph.inputs}
    return Graph(
        nodes=tuple(node for node in nodes if node.name in needed),
        answer=whole.answer,
        bodies={name: body for name, body in bodies.items() if name in needed},
    )


class _Constant(nn.Module):
    """The same number everywhere, for as many rows as come in."""

    def __init__(self, shape: tuple[int, ...], dtype: str, value: float) -> None:
        super().__init__()
        self.shape, self.dtype, self.value = shape, getattr(torch, dtype), value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, ...] of [B, anything]."""
        return torch.full((x.shape[0], *self.shape), self.value, dtype=self.dtype, device=x.device)


def _can_open(control: Node, edge: int, runs: bool) -> bool:
    return 0 <= edge < len(control.edges) if runs else edge == len(control.edges)


def _origins(ran: Sequence[Node]) -> dict[str, DataEdge]:
    """Where the first output of each node that has a value comes from: itself, or whom a select takes."""
    origins: dict[str, DataEdge] = {}
    for node in ran:
        if node.kind in ("input", "function"):
            origins[node.name] = DataEdge(source=node.name)
        elif node.kind == "select":
            first = next((edge for edge in node.inputs if edge.source in origins), None)
            origins |= {} if first is None else {node.name: _through(first, origins)}
    return origins


def _through(edge: DataEdge, origins: dict[str, DataEdge]) -> DataEdge:
    origin = origins[edge.source]
    return origin if origin.source != edge.source else DataEdge(source=edge.source, output=edge.output)


def _edge(edge: DataEdge, origins: dict[str, DataEdge], constants: dict[DataEdge, tuple[Node, nn.Module]]) -> DataEdge:
    return DataEdge(source=constants[edge][0].name) if edge in constants else _through(edge, origins)


def _constants(
    graph: Graph, node: Node, origins: dict[str, DataEdge]
) -> Iterator[tuple[DataEdge, tuple[Node, nn.Module]]]:
    """A node that gives the default, for each edge that had to be read so."""
    for at, edge in enumerate(node.inputs):
        if edge.source not in origins and edge.default is not None:
            tensor: Tensor = graph[edge.source].outputs[edge.output]
            rows = DataEdge(source=graph.inputs[0].name)
            constant = Node(name=f"{node.name}/default{at}", kind="function", inputs=(rows,), outputs=(tensor,))
            yield edge, (constant, _Constant(tensor.shape, tensor.dtype, edge.default))
