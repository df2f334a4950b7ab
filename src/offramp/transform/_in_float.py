"""The network before its bodies were given fewer bits."""

from __future__ import annotations

from dataclasses import replace

from offramp.graph import Graph, History
from offramp.nn import in_float as body_in_float


def in_float(graph: Graph) -> Graph:
    """The graph with the bodies in float that those in 8 bits stand for.

    It is there to be measured and compared with, and does not know how it came about.

    Args:
        graph: Any conditional graph.

    Returns:
        A new graph without bodies in 8 bits.
    """
    bodies = {name: body_in_float(body) for name, body in graph.bodies.items()}
    if all(bodies[name] is graph.bodies[name] for name in bodies):
        return graph
    return replace(graph, bodies=bodies, history=History())
