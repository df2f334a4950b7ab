"""What a sample costs by the edges that control nodes opened for it: any conditional graph.

Shape letters: S samples, G control nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from offramp.graph import Block, Graph, Run, find_regions, plan


def route_macs(graph: Graph, macs: Mapping[str, int], route: NDArray[np.int64]) -> NDArray[np.float64]:
    """Multiply-accumulates of everything that ran for each sample, control nodes included.

    A node ran if all the control edges that it depends on were open. What neither the answer nor a control node
    needs never runs.

    Args:
        graph: The graph that answered.
        macs: Multiply-accumulates by name of the node, as `measure.torch.count_macs` gives them.
        route: [S, G] the edge that each control node opened; its number of edges if it did not run.

    Returns:
        [S] the cost of each sample.

    Example:
        >>> from offramp.graph import DataEdge, Node, Tensor
        >>> row, x = (Tensor(shape=(2,)),), (DataEdge(source="x"),)
        >>> nodes = (Node(name="x", kind="input", outputs=row),
        ...          Node(name="q", kind="control", inputs=x, edges=("high", "low")),
        ...          Node(name="high", kind="function", inputs=x, outputs=row),
        ...          Node(name="low", kind="function", inputs=x, outputs=row),
        ...          Node(name="answer", kind="select", outputs=row,
        ...               inputs=(DataEdge(source="high"), DataEdge(source="low"))))
        >>> graph = Graph(nodes=nodes, answer="answer")
        >>> route_macs(graph, {"q": 1, "high": 100, "low": 10}, np.array([[0], [1]]))
        array([101.,  11.])
    """
    total = np.zeros(len(route))
    for name, ran in _find_ran(graph, route):
        total += macs[name] * ran
    return total


def active_nodes(graph: Graph, route: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many function nodes ran for each sample; control, dummy and select nodes do not count.

    Args:
        graph: The graph that answered.
        route: [S, G] the edge that each control node opened; its number of edges if it did not run.

    Returns:
        [S] the number of function nodes.

    Example:
        >>> from offramp.graph import DataEdge, Node, Tensor
        >>> row, x = (Tensor(shape=(2,)),), (DataEdge(source="x"),)
        >>> nodes = (Node(name="x", kind="input", outputs=row),
        ...          Node(name="q", kind="control", inputs=x, edges=("more", "rest")),
        ...          Node(name="more", kind="function", inputs=x, outputs=row), Node(name="rest", kind="dummy"),
        ...          Node(name="answer", kind="function", outputs=row,
        ...               inputs=(DataEdge(source="more", default=0.0),)))
        >>> active_nodes(Graph(nodes=nodes, answer="answer"), np.array([[0], [1]]))
        array([2, 1])
    """
    count = np.zeros(len(route), np.int64)
    for name, ran in _find_ran(graph, route):
        count += ran & (graph[name].kind == "function")
    return count


def route_chance(graph: Graph, route: Sequence[int]) -> float:
    """The probability of a route if every control node that runs opens one of its edges at random, all alike.

    Over all routes of `graph.find_routes` it sums to 1.

    Args:
        graph: Any conditional graph.
        route: The edge that each control node opened; its number of edges if it did not run.

    Returns:
        The probability of the route.

    Example:
        >>> from offramp.graph import DataEdge, Node, Tensor
        >>> row, x = (Tensor(shape=(2,)),), (DataEdge(source="x"),)
        >>> nodes = (Node(name="x", kind="input", outputs=row),
        ...          Node(name="q", kind="control", inputs=x, edges=("more", "rest")),
        ...          Node(name="more", kind="function", inputs=x, outputs=row), Node(name="rest", kind="dummy"),
        ...          Node(name="answer", kind="function", outputs=row,
        ...               inputs=(DataEdge(source="more", default=0.0),)))
        >>> route_chance(Graph(nodes=nodes, answer="answer"), (1,))
        0.5
    """
    edges = [len(node.edges) for node in graph.controls]
    return prod(1 / count for count, opened in zip(edges, route, strict=True) if opened < count)


def running_nodes(graph: Graph) -> tuple[str, ...]:
    """The function and control nodes that run for at least some route.

    Args:
        graph: Any conditional graph.

    Returns:
        Their names, in the order in which they run.
    """
    return tuple(_walk(plan(graph).root))


def dearest_edges(graph: Graph, macs: Mapping[str, int]) -> dict[str, int]:
    """By control node, the edge behind which most multiply-accumulates lie: together the way through the full network.

    Args:
        graph: Any conditional graph.
        macs: Multiply-accumulates by name of the node, as `measure.torch.count_macs` gives them.

    Returns:
        By name of the control node, the number of its edge.
    """
    regions = find_regions(graph.nodes)
    behind = {node.name: [0] * len(node.edges) for node in graph.controls}
    for name in running_nodes(graph):
        for control, index in regions[name]:
            behind[control][index] += macs[name]
    return {control: int(np.argmax(costs)) for control, costs in behind.items()}


def _find_ran(graph: Graph, route: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The function and control nodes, each with [S] whether it ran."""
    column = {node.name: at for at, node in enumerate(graph.controls)}
    regions = find_regions(graph.nodes)
    for name in running_nodes(graph):
        ran = np.ones(len(route), np.bool_)
        for control, index in regions[name]:
            ran &= route[:, column[control]] == index
        yield name, ran


def _walk(block: Block) -> Iterator[str]:
    for step in block.steps:
        if isinstance(step, Block):
            yield from _walk(step)
        elif isinstance(step, Run):
            yield step.node.name
