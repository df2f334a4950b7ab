"""What a node depends on."""

from __future__ import annotations

from ._graph import Graph


def find_ancestors(graph: Graph, name: str, *, through_control: bool = True) -> set[str]:
    """Names of a node and of all that it depends on.

    Args:
        graph: Any conditional graph.
        name: Name of the node that is asked about.
        through_control: True also follows the control nodes that open what is on the way; False follows
            data edges alone.

    Returns:
        The names of the node itself and of everything that it reads or is opened by, directly or through others.

    Example:
        >>> from offramp.graph import DataEdge, Graph, Node, Tensor
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,))
        >>> sorted(find_ancestors(Graph(nodes=(x, net), answer="net"), "net"))
        ['net', 'x']
    """
    opener = {child: node.name for node in graph.controls for child in node.edges} if through_control else {}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += [edge.source for edge in graph[current].inputs]
            waiting += [opener[current]] if current in opener else []
    return found
