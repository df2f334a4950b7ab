"""How many answers change if some bodies of a network are others.

Shape letters: B batch, E exits, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from offramp.graph import Graph, find_ancestors
from offramp.run import Samples

from ._reach import Values, float_values


class OnnxBody:
    """A body from its ONNX model, run by ONNX Runtime."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(  # Any: ONNX Runtime has no types
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """All outputs."""
        feed = {f"i{at}": tensor.numpy() for at, tensor in enumerate(given)}
        return tuple(map(torch.from_numpy, self._session.run(None, feed)))


def agreements(
    graph: Graph, samples: Samples, variants: Mapping[str, Mapping[str, OnnxBody]]
) -> dict[str, NDArray[np.float64]]:
    """By variant, [E] the share of samples on which each exit answers as it does in float.

    Args:
        graph: In float.
        samples: Whose answers are compared; labels are not needed.
        variants: Other bodies by name of their node, for each variant.
    """
    needed = set().union(*(find_ancestors(graph, exit.name, through_control=False) for exit in graph.exits))
    same = {label: np.zeros(len(graph.exits)) for label in variants}
    for values in float_values(graph, samples):
        wanted = _answers(graph, values)
        for label, bodies in variants.items():
            same[label] += (_answers(graph, _changed(graph, values, bodies, needed)) == wanted).sum(axis=0)
    return {label: count / len(samples) for label, count in same.items()}


def _answers(graph: Graph, values: Values) -> NDArray[np.int64]:
    """[B, E] the class that each exit answers."""
    return np.stack([values[exit.name][0].argmax(dim=1).numpy() for exit in graph.exits], axis=1)


@torch.no_grad()
def _changed(graph: Graph, values: Values, bodies: Mapping[str, OnnxBody], needed: set[str]) -> Values:
    """The values with these bodies; only what follows from them is computed again."""
    changed: Values = {}
    for node in graph.nodes:
        other = bodies.get(node.name)
        stale = any(edge.source in changed for edge in node.inputs)
        if node.name not in needed or not (other or stale):
            continue
        given = [changed.get(edge.source, values[edge.source])[edge.output] for edge in node.inputs]
        if node.kind == "select":
            changed[node.name] = (given[0],)  # as in a dense pass
            continue
        body = other or graph.bodies[node.name]
        assert isinstance(body, OnnxBody | nn.Module), "what runs in a float network is a module"
        result = body(*given)
        changed[node.name] = result if isinstance(result, tuple) else (result,)
    return {**values, **changed}
