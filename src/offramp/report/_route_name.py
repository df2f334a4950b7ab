"""What a route is called on a page: the nodes that it opens."""

from __future__ import annotations

from collections.abc import Sequence

from offramp.graph import Graph, find_regions

LONGEST = 34  # characters


def name_route(graph: Graph, route: Sequence[int]) -> str:
    """The nodes that a route opens, in graph order; dummies are left out, and the middle of many.

    Where it opens dummies only, it is called after the node whose answer is selected.

    Args:
        graph: Through which it goes.
        route: The edge that each control node opened; its number of edges if it did not run.

    Example:
        >>> from offramp.graph import DataEdge, Node, Tensor
        >>> row, x = (Tensor(shape=(2,)),), (DataEdge(source="x"),)
        >>> nodes = (Node(name="x", kind="input", outputs=row),
        ...          Node(name="q", kind="control", inputs=x, edges=("large", "rest")),
        ...          Node(name="small", kind="function", inputs=x, outputs=row), Node(name="rest", kind="dummy"),
        ...          Node(name="large", kind="function", inputs=x, outputs=row),
        ...          Node(name="answer", kind="select", outputs=row,
        ...               inputs=(DataEdge(source="large"), DataEdge(source="small"))))
        >>> graph = Graph(nodes=nodes, answer="answer")
        >>> name_route(graph, (0,)), name_route(graph, (1,))
        ('large', 'small')
    """
    taken = [(node, edge) for node, edge in zip(graph.controls, route, strict=True) if edge < len(node.edges)]
    opened = [node.edges[edge] for node, edge in taken if graph[node.edges[edge]].kind != "dummy"]
    opened = opened or [_find_answer(graph, {(node.name, edge) for node, edge in taken})]
    name = ", ".join(opened)
    return name if len(name) <= LONGEST or len(opened) < 3 else f"{opened[0]}, ... {opened[-1]}"


def _find_answer(graph: Graph, opened: set[tuple[str, int]]) -> str:
    """The node whose answer is selected if these edges are open."""
    if graph[graph.answer].kind != "select":
        return "nothing opened"
    regions = find_regions(graph.nodes)
    return next(edge.source for edge in graph[graph.answer].inputs if regions[edge.source] <= opened)
