"""The exported file, run by the bare engines, against the reference interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import openvino
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from graphs import STOP_HIGH, STOP_LOW, make_chain, random_graphs, with_numpy_bodies
from offramp.errors import GraphError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run import run_reference

NAMES = ["logits", "exit", "score", "route"]


def run_bare_onnx(model: bytes, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(NAMES, feed))


def run_bare_openvino(model: bytes, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled(feed)
    return [np.array(results[name]) for name in NAMES]  # copies: the memory is the compiled model's


ENGINES: dict[str, Any] = {"onnxruntime": run_bare_onnx, "openvino": run_bare_openvino}


def compare(graph: Graph, engine: str, rows: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.integers(-8, 9, (rows, 3)).astype(np.float32)
    thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
    feed = {"x": x, "thresholds": thresholds} if graph.gates else {"x": x}
    model = export_onnx.to_model(graph).SerializeToString()
    got = ENGINES[engine](model, feed)
    try:
        expected = run_reference(with_numpy_bodies(graph), {"x": x}, thresholds)
    except GraphError:
        assert -1 in got[1]
        return
    for name, value in zip(NAMES, got, strict=True):
        np.testing.assert_array_equal(value, getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize("rows", [0, 1, 3, 64])
@pytest.mark.parametrize("gate", [STOP_HIGH, STOP_LOW], ids=["higher", "lower"])
def test_the_file_of_a_chain_equals_the_reference(engine: str, rows: int, gate: Any) -> None:
    compare(make_chain(3, gate, seed=rows), engine, rows, seed=rows)


@pytest.mark.parametrize("engine", list(ENGINES))
@settings(deadline=None, max_examples=12, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graph=random_graphs(), seed=st.integers(0, 99), rows=st.sampled_from([1, 5]))
def test_the_file_of_any_graph_equals_the_reference(engine: str, graph: Graph, seed: int, rows: int) -> None:
    compare(graph, engine, rows, seed)
