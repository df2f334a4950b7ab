"""The weights of a graph: all of its own, each once, and loaded strictly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from offramp.errors import WeightsError
from offramp.graph import Graph
from offramp.nn import in_float


def state_of(graph: Graph) -> dict[str, Tensor]:
    """Parameters and buffers by node and name; of bodies in 8 bits, those of the body in float.

    A fallback mostly has the weights of the stages: those are not in it a second time.
    """
    found: dict[str, Tensor] = {}
    for node, body in _modules(graph):
        known = {tensor.data_ptr() for tensor in found.values() if tensor.numel()}
        shared = known if graph[node].role == "fallback" else set()
        found |= {f"{node}/{key}": tensor for key, tensor in body.state_dict().items()
                  if tensor.data_ptr() not in shared}  # fmt: skip
    return found


def load_state(graph: Graph, stored: Mapping[str, Tensor]) -> Graph:
    """The graph, just built, with the stored weights: every one of them and no other.

    Raises:
        WeightsError: Some are missing, too many, or have another shape.
    """
    expected = state_of(graph)
    odd = sorted(set(expected) ^ set(stored))
    odd += [name for name in expected if name in stored and expected[name].shape != stored[name].shape]
    if odd:
        raise WeightsError(f"model.safetensors must hold exactly the weights of the recipe, but {odd[:3]} differ.")
    for node, body in _modules(graph):
        own = {key.rpartition("/")[2]: stored[key] for key in expected if key.rpartition("/")[0] == node}
        body.load_state_dict(own, strict=False)  # strictly compared above; a fallback lacks what it shares
        body.eval()
    return graph


def _modules(graph: Graph) -> Iterator[tuple[str, nn.Module]]:
    """Bodies in float, in graph order."""
    for node in graph.nodes:
        body = in_float(graph.bodies[node.name]) if node.name in graph.bodies else None
        if isinstance(body, nn.Module):
            yield node.name, body
