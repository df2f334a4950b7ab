"""The graph as it ships, drawn; no PyTorch."""

from __future__ import annotations

from offramp.graph import Graph, draw_svg


def draw_shipped(graph: Graph) -> str:
    """The graph as SVG, without the scores that only the evidence has."""
    read = {edge.source for node in graph.nodes for edge in node.inputs}
    unread = {score.name for exit in graph.exits for score in exit.scores.values()} - read
    kept = tuple(node for node in graph.nodes if node.name not in unread)
    names = {node.name for node in kept}
    bodies = {name: body for name, body in graph.bodies.items() if name in names}
    return draw_svg(Graph(nodes=kept, answer=graph.answer, bodies=bodies))
