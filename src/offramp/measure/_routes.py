"""What a sample costs by the edges that control nodes opened for it: any conditional graph.

Shape letters: S samples, G control nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from offramp.graph import Block, Graph, Run, find_regions, plan


def route_macs(graph: Graph, macs: Mapping[str, int], route: NDArray[np.int64]) -> NDArray[np.float64]:
    """[S] multiply-accumulates of everything that ran for each sample, control nodes included.

    A node ran if all the control edges that it depends on were open. What neither the answer nor a control node
    needs never runs.

    Args:
        graph: That answered.
        macs: By node, as `measure.torch.count_macs` gives them.
        route: [S, G] the edge that each control node opened; its number of edges if it did not run.

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
    column = {node.name: at for at, node in enumerate(graph.controls)}
    regions = find_regions(graph.nodes)
    total = np.zeros(len(route))
    for name in running_nodes(graph):
        ran = np.ones(len(route), np.bool_)
        for control, index in regions[name]:
            ran &= route[:, column[control]] == index
        total += macs[name] * ran
    return total


def running_nodes(graph: Graph) -> tuple[str, ...]:
    """The function and control nodes that run for at least some route."""
    return tuple(_walk(plan(graph).root))


def dearest_edges(graph: Graph, macs: Mapping[str, int]) -> dict[str, int]:
    """By control node, the edge behind which most multiply-accumulates lie: together the way through the full network.

    Args:
        graph: Any.
        macs: By node.
    """
    regions = find_regions(graph.nodes)
    behind = {node.name: [0] * len(node.edges) for node in graph.controls}
    for name in running_nodes(graph):
        for control, index in regions[name]:
            behind[control][index] += macs[name]
    return {control: int(np.argmax(costs)) for control, costs in behind.items()}


def _walk(block: Block) -> Iterator[str]:
    for step in block.steps:
        if isinstance(step, Block):
            yield from _walk(step)
        elif isinstance(step, Run):
            yield step.node.name
