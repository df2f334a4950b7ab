"""What a route is called on a page: the nodes that it opens."""

from __future__ import annotations

from collections.abc import Sequence

from offramp.graph import Graph

LONGEST = 34  # characters


def name_route(graph: Graph, route: Sequence[int]) -> str:
    """The nodes that a route opens, in graph order; dummies are left out, and the middle of many.

    Args:
        graph: Through which it goes.
        route: The edge that each control node opened; its number of edges if it did not run.

    Example:
        >>> from offramp.graph import DataEdge, Node, Tensor
        >>> row, x = (Tensor(shape=(2,)),), (DataEdge(source="x"),)
        >>> nodes = (Node(name="x", kind="input", outputs=row),
        ...          Node(name="q", kind="control", inputs=x, edges=("more", "rest")),
        ...          Node(name="more", kind="function", inputs=x, outputs=row), Node(name="rest", kind="dummy"),
        ...          Node(name="answer", kind="function", outputs=row,
        ...               inputs=(DataEdge(source="more", default=0.0),)))
        >>> graph = Graph(nodes=nodes, answer="answer")
        >>> name_route(graph, (0,)), name_route(graph, (1,))
        ('more', 'nothing opened')
    """
    pairs = zip(graph.controls, route, strict=True)
    targets = [node.edges[edge] for node, edge in pairs if edge < len(node.edges)]
    opened = [name for name in targets if graph[name].kind != "dummy"]
    if not opened:
        return "nothing opened"
    name = ", ".join(opened)
    return name if len(name) <= LONGEST or len(opened) < 3 else f"{opened[0]}, ... {opened[-1]}"
