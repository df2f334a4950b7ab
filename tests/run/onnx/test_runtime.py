"""ONNX Runtime against the reference interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from files import GRAPH, FileContract, make_batch
from graphs import random_graphs, with_numpy_bodies
from offramp.errors import EngineError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run import Answer, Runtime, run_reference
from offramp.run import onnx as run_onnx
from offramp.testing import RuntimeContract

BARE = """
import json, sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
x = np.arange(12, dtype=np.float32).reshape(4, 3) - 6
names = ["logits", "exit", "score", "route"]
results = session.run(names, {"x": x, "thresholds": np.array([1, 2, 0], np.float32)})
assert not {"torch", "offramp"} & set(sys.modules)
print(json.dumps({name: value.tolist() for name, value in zip(names, results)}))
"""


@pytest.fixture
def path(chain_files: Path) -> Path:
    return chain_files / "model.onnx"


class TestFiles(FileContract):
    run = run_onnx  # type: ignore[misc]  # as it is at run time
    bare = BARE


class TestStages(RuntimeContract):
    @pytest.fixture(autouse=True)
    def _path(self, path: Path) -> None:
        self.path = path

    def load(self) -> Runtime:
        return run_onnx.load(self.path)

    def expect(self, inputs: dict[str, np.ndarray], thresholds: np.ndarray) -> Answer:
        return run_reference(with_numpy_bodies(GRAPH), inputs, thresholds)


class TestWhole(TestStages):
    def load(self) -> Runtime:
        return run_onnx.load(self.path, staged=False)


class TestTwoThreads(TestStages):
    def load(self) -> Runtime:
        return run_onnx.load(self.path, threads=2)


@settings(deadline=None, max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graph=random_graphs(), seed=st.integers(0, 99))
def test_any_graph_answers_like_the_reference(
    graph: Graph, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runtime = run_onnx.load(export_onnx.save(graph, tmp_path_factory.mktemp("any") / "model.onnx"))
    generator = np.random.default_rng(seed)
    inputs = {"x": generator.integers(-8, 9, (5, 3)).astype(np.float32)}
    thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
    expected = run_reference(with_numpy_bodies(graph), inputs, thresholds)
    got = runtime(inputs, thresholds)
    for name in ("logits", "exit", "score", "route"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)


def test_all_outputs_of_any_file_are_given_by_name(chain_files: Path) -> None:
    values = run_onnx.load_values(chain_files / "dense.onnx")(make_batch(3))
    dense = run_onnx.load_dense(chain_files / "dense.onnx")(make_batch(3))
    np.testing.assert_array_equal(values["exit_logits"], dense.logits)
    assert set(values) == {"exit_logits", *(f"scores/{name}" for name in dense.scores)}


def test_an_inner_value_that_onnx_runtime_cannot_compute_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(EngineError, match="ONNX Runtime cannot run"):
        run_onnx.load_values(tmp_path / "no.onnx")
