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

from offramp.graph import Graph
from offramp.nn import Values, evaluate
from offramp.run import Samples

from ._reach import float_values


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
    same = {label: np.zeros(len(graph.exits)) for label in variants}
    for values in float_values(graph, samples):
        wanted = _answers(graph, values)
        for label, bodies in variants.items():
            same[label] += (_answers(graph, _changed(graph, values, bodies)) == wanted).sum(axis=0)
    return {label: count / len(samples) for label, count in same.items()}


def _answers(graph: Graph, values: Values) -> NDArray[np.int64]:
    """[B, E] the class that each exit answers."""
    return np.stack([values[exit.name][0].argmax(dim=1).numpy() for exit in graph.exits], axis=1)


@torch.no_grad()
def _changed(graph: Graph, values: Values, bodies: Mapping[str, OnnxBody]) -> Values:
    """The values with these bodies; only what follows from them is computed again."""
    stale = set(bodies)
    for node in graph.nodes:
        stale |= {node.name} if any(edge.source in stale for edge in node.inputs) else set()
    known = {name: value for name, value in values.items() if name not in stale}
    return evaluate(graph, {}, nodes=[exit.name for exit in graph.exits], values=known, bodies=bodies)
