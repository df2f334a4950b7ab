"""The JSON form of a graph: structure and recipes, never bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from offramp.errors import GraphError

from ._graph import Graph
from ._node import DataEdge, Gate, Node, Tensor

FORMAT = 1


def to_json(graph: Graph) -> dict[str, Any]:  # Any: JSON
    """A JSON-able dictionary of a graph's structure and recipes.

    Example:
        >>> from offramp.graph import DataEdge, Graph, Node, Tensor, from_json, to_json
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,))
        >>> graph = Graph(nodes=(x, net), answer="net")
        >>> from_json(to_json(graph)) == graph
        True
    """
    return {"format": FORMAT, "answer": graph.answer, "nodes": [_described(node) for node in graph.nodes]}


def from_json(data: Mapping[str, Any]) -> Graph:  # Any: JSON
    """The graph that `to_json` described, without bodies.

    Raises:
        GraphError: The data has another format, or describes a graph that breaks a law.
    """
    if data.get("format") != FORMAT:
        raise GraphError(
            f"expected a graph of format {FORMAT}, got {data.get('format')!r}: write it again with this version."
        )
    try:
        return Graph(nodes=tuple(_node(entry) for entry in data["nodes"]), answer=data["answer"])
    except (KeyError, TypeError) as error:
        raise GraphError(f"expected the JSON form of a graph, but {error}: write it with to_json.") from error


def _node(entry: Mapping[str, Any]) -> Node:
    fields = dict(entry)
    fields["inputs"] = tuple(DataEdge(**edge) for edge in entry["inputs"])
    fields["outputs"] = tuple(Tensor(**{**tensor, "shape": tuple(tensor["shape"])}) for tensor in entry["outputs"])
    fields["edges"] = tuple(entry["edges"])
    fields["gate"] = Gate(**entry["gate"]) if entry["gate"] else None
    return Node(**fields)


def _described(node: Node) -> dict[str, Any]:  # Any: JSON
    """All fields of a node; the number of an exit only where there is one, as in files from before exits had one."""
    fields = {key: _plain(value) for key, value in asdict(node).items()}
    if node.exit is None:
        del fields["exit"]
    return fields


def _plain(value: Any) -> Any:  # Any: JSON
    """Tuples as lists, mappings as dictionaries."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value
