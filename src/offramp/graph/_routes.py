"""All ways through a graph."""

from __future__ import annotations

from collections.abc import Iterator

from ._graph import Graph
from ._reach import find_regions


def find_routes(graph: Graph) -> Iterator[tuple[int, ...]]:
    """Every route that a sample can take, as a row of `route`: the opened edge of each control node in graph order.

    A control node that does not run has its number of edges there. Independent decisions multiply: ask for the first
    few where there are many.

    Args:
        graph: Any conditional graph.

    Returns:
        An iterator over routes, the edge with the lowest number of each control node first.

    Example:
        >>> from offramp.graph import DataEdge, Graph, Node, Tensor
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> q = Node(name="q", kind="control", inputs=(DataEdge(source="x"),), edges=("net", "rest"))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,))
        >>> rest = Node(name="rest", kind="dummy")
        >>> out = Node(name="out", kind="function", inputs=(DataEdge(source="net", default=0.0),), outputs=(row,))
        >>> list(find_routes(Graph(nodes=(x, q, net, rest, out), answer="out")))
        [(0,), (1,)]
    """
    regions = find_regions(graph.nodes)

    def extend(opened: dict[str, int]) -> Iterator[tuple[int, ...]]:
        if len(opened) == len(graph.controls):
            yield tuple(opened.values())
            return
        control = graph.controls[len(opened)]
        runs = all(opened[other] == edge for other, edge in regions[control.name])
        for edge in range(len(control.edges)) if runs else [len(control.edges)]:
            yield from extend({**opened, control.name: edge})

    return extend({})
