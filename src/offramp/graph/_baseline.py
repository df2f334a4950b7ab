"""The network inside a graph that everything else is compared with."""

from __future__ import annotations

from ._ancestors import find_ancestors
from ._exit import Exit
from ._graph import Graph


def find_baseline(graph: Graph) -> Exit:
    """The exit at which the network ends that exits were attached to.

    That is the first exit that reads every stage, and in a graph without stages the final one. It is not always the
    final one: another network may stand behind it, such as `transform.add_fallback` puts there.

    Args:
        graph: Any conditional graph.

    Returns:
        The exit. What it depends on through data alone is the network by itself.

    Example:
        >>> from offramp.graph import DataEdge, Graph, Node, Tensor
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,), role="stage")
        >>> find_baseline(Graph(nodes=(x, net), answer="net")).name
        'net'
    """
    stages = {node.name for node in graph.nodes if node.role == "stage"}
    whole = (exit for exit in graph.exits if stages <= find_ancestors(graph, exit.name, through_control=False))
    return next(whole, graph.exits[-1]) if stages else graph.exits[-1]


def find_baseline_nodes(graph: Graph) -> tuple[str, ...]:
    """Names of the nodes of the network by itself, its inputs included, in graph order; see `find_baseline`."""
    names = find_ancestors(graph, find_baseline(graph).name, through_control=False)
    return tuple(node.name for node in graph.nodes if node.name in names)
