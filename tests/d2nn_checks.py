"""Graphs whose controllers send samples everywhere, and all engines against the reference on them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from graphs import with_numpy_bodies
from offramp.export import onnx as export_onnx
from offramp.graph import Graph, Node
from offramp.run import Answer, run_reference
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.run import torch as run_torch

MARGIN = 1e-3  # between the best scores of a controller: nearer ones may change places from engine to engine
TOLERANCE = 1e-4

Inputs = dict[str, np.ndarray]


def make_lively(graph: Graph, shape: tuple[int, ...], *, seed: int = 0) -> Graph:
    """Fresh weights for the controllers, such that each edge is the best one for many samples."""
    generator = torch.Generator().manual_seed(seed)
    values = {graph.inputs[0].name: (torch.rand(64, *shape, generator=generator),)}
    with torch.no_grad():
        for node in graph.nodes:
            given = _drop([values[edge.source][edge.output] for edge in node.inputs], node, generator)
            if node.kind == "control":
                _spread(graph.bodies[node.name], given, generator)
            elif node.kind == "function":
                result: Any = graph.bodies[node.name](*given)
                values[node.name] = result if isinstance(result, tuple) else (result,)
            elif node.kind == "select":
                values[node.name] = (given[0],)
    return graph


def _drop(given: list[torch.Tensor], node: Node, generator: torch.Generator) -> list[torch.Tensor]:
    """Of what has a default, one for each sample: as if the others did not run."""
    optional = [at for at, edge in enumerate(node.inputs) if edge.default is not None]
    if optional:
        kept = torch.randint(len(optional), (64,), generator=generator)
        for rank, at in enumerate(optional):
            row = (kept == rank).view(-1, *[1] * (given[at].dim() - 1))
            given[at] = torch.where(row, given[at], torch.tensor(node.inputs[at].default))
    return given


def _spread(body: Any, given: list[torch.Tensor], generator: torch.Generator) -> None:
    """Center and scale the scores of the last layer over these samples."""
    *earlier, last = [layer for layer in body.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    for layer in earlier:
        if layer.bias is not None:
            layer.bias.fill_(0.5)  # narrow layers easily say nothing at all
    last.weight.normal_(generator=generator)
    last.bias.zero_()  # type: ignore[union-attr]  # it is there
    scores = body(*given)
    scale = (scores - scores.mean(dim=0)).std()
    assert scale > 1e-6, "a controller that says the same to all"
    last.weight.div_(scale)
    last.bias.sub_(body(*given).mean(dim=0))  # type: ignore[union-attr]  # it is there


def settle(graph: Graph, shape: tuple[int, ...], rows: int, *, seed: int) -> Inputs:
    """Random samples on whose way no controller is undecided."""
    margins: list[float] = []

    def watched(body: Any) -> Any:
        def call(*given: np.ndarray) -> Any:
            scores = body(*given)
            best = np.sort(scores[0])[::-1]
            margins.append(float(best[0] - best[1]))
            return scores

        return call

    plain = with_numpy_bodies(graph)
    watching = plain.with_bodies({node.name: watched(plain.bodies[node.name]) for node in graph.controls})
    pool = np.random.default_rng(seed).random((2 * rows + 8, *shape), dtype=np.float32)
    kept: list[np.ndarray] = []
    for row in pool:
        margins.clear()
        run_reference(watching, {"x": row[None]})
        if min(margins, default=1.0) > MARGIN and len(kept) < rows:
            kept.append(row)
    assert len(kept) == rows
    return {"x": np.array(kept, np.float32).reshape(rows, *shape)}


class Engines:
    """One graph in all runtimes; writing its file takes seconds, so do it once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.traces: export_onnx.Traces = {}
        with tempfile.TemporaryDirectory() as folder:
            path = export_onnx.save(graph, Path(folder) / "model.onnx", traces=self.traces)
            self.runtimes: dict[str, Any] = {
                "torch": run_torch.load(graph),
                "onnx": run_onnx.load(path),
                "onnx whole": run_onnx.load(path, staged=False),
                "openvino": run_openvino.load(path),
            }


def check_engines(engines: Engines, inputs: Inputs) -> Answer:
    """Compare all runtimes with the reference; give its answer."""
    expected = run_reference(with_numpy_bodies(engines.graph), inputs)
    for name, runtime in engines.runtimes.items():
        got = runtime(inputs)
        np.testing.assert_array_equal(got.route, expected.route, err_msg=f"route of {name}")
        np.testing.assert_array_equal(got.exit, expected.exit, err_msg=f"exit of {name}")
        np.testing.assert_allclose(got.logits, expected.logits, atol=TOLERANCE, rtol=TOLERANCE, err_msg=name)
        np.testing.assert_array_equal(got.score, 1.0, err_msg=f"score of {name}")
    return expected
