"""A conditional graph as the full network: everything takes its dearest way."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offramp.graph import Graph
from offramp.measure import dearest_edges
from offramp.measure.torch import count_macs
from offramp.nn import Executor
from offramp.run import Samples

from ._batch import take_batch
from ._frozen_backbone import find_device


class Teacher:
    """The answers of a graph as it is now, along the dearest way; a copy, in eval mode.

    Args:
        graph: Graph whose bodies are all modules.
    """

    def __init__(self, graph: Graph) -> None:
        self._executor = Executor(graph.with_bodies(copy.deepcopy(dict(graph.bodies)))).eval()
        self._edges = dearest_edges(graph, count_macs(graph))
        self._limits = passing_thresholds(graph)

    @torch.no_grad()
    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Answer a batch.

        Args:
            batch: Inputs [B, ...] by name.

        Returns:
            Classes [B] int64.
        """
        first = next(iter(batch.values()))
        forced = {name: torch.full((len(first),), edge, device=first.device) for name, edge in self._edges.items()}
        answers: Tensor = self._executor(batch, self._limits.to(first.device), forced=forced).logits.argmax(dim=1)
        return answers


def full_answers(graph: Graph, samples: Samples, *, batch: int = 256) -> NDArray[np.int64]:
    """The classes that a graph answers if every control node opens the edge with the most compute behind it.

    Other answers of the graph, or of one trained from it, are compared with these where there is no full network.

    Args:
        graph: Graph whose bodies are all modules.
        samples: Samples to answer; their labels are not read.
        batch: Number of samples per call.

    Returns:
        One class per sample, [S].

    Raises:
        GraphError: A body is missing or is no module.

    Example:
        >>> from offramp import attach
        >>> from offramp.run import ArraySamples
        >>> graph = attach.d2nn_high_low((1, 16, 16), width=0.25)
        >>> pictures = np.zeros((3, 1, 16, 16), dtype=np.float32)
        >>> full_answers(graph, ArraySamples(inputs={"x": pictures}, ids=np.array(["a", "b", "c"]))).shape
        (3,)
    """
    teacher, device = Teacher(graph), find_device(graph.bodies.values())
    parts = [np.arange(start, min(start + batch, len(samples))) for start in range(0, len(samples), batch)]
    answers = [teacher(take_batch(samples, part, device, graph)).cpu().numpy() for part in parts]
    return np.concatenate([np.empty(0, np.int64), *answers])


def passing_thresholds(graph: Graph) -> Tensor:
    """Thresholds at which no gate stops a sample.

    Args:
        graph: Any graph.

    Returns:
        One threshold per threshold gate, [T].
    """
    return torch.tensor([node.gate.stop_none for node in graph.gates if node.gate is not None])
