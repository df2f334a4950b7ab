"""OpenVINO against the reference interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from files import GRAPH, FileContract, make_batch
from graphs import make_chain, random_graphs, with_numpy_bodies
from offramp.errors import OptionError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run import Answer, Runtime, run_reference
from offramp.run import openvino as run_openvino
from offramp.testing import RuntimeContract

BARE = """
import json, sys
import numpy as np
import openvino
core = openvino.Core()
compiled = core.compile_model(core.read_model(sys.argv[1]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
x = np.arange(12, dtype=np.float32).reshape(4, 3) - 6
results = compiled({"x": x, "thresholds": np.array([1, 2, 0], np.float32)})
assert not {"torch", "offramp"} & set(sys.modules)
print(json.dumps({name: results[name].tolist() for name in ("logits", "exit", "score", "route")}))
"""


@pytest.fixture
def path(chain_files: Path) -> Path:
    return chain_files / "model.onnx"


class TestFiles(FileContract):
    run = run_openvino  # type: ignore[misc]  # as it is at run time
    bare = BARE


class TestOpenvino(RuntimeContract):
    @pytest.fixture(autouse=True)
    def _path(self, path: Path) -> None:
        self.path = path

    def load(self) -> Runtime:
        return run_openvino.load(self.path)

    def expect(self, inputs: dict[str, np.ndarray], thresholds: np.ndarray) -> Answer:
        return run_reference(with_numpy_bodies(GRAPH), inputs, thresholds)


@settings(deadline=None, max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graph=random_graphs(), seed=st.integers(0, 99), threads=st.sampled_from([1, 2]))
def test_any_graph_answers_like_the_reference(
    graph: Graph, seed: int, threads: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runtime = run_openvino.load(export_onnx.save(graph, tmp_path_factory.mktemp("any") / "model.onnx"), threads=threads)
    generator = np.random.default_rng(seed)
    for rows in (5, 5, 64, 3):  # memory that was enough for one call is not for the next
        inputs = {"x": generator.integers(-8, 9, (rows, 3)).astype(np.float32)}
        thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
        expected = run_reference(with_numpy_bodies(graph), inputs, thresholds)
        got = runtime(inputs, thresholds)
        for name in ("logits", "exit", "score", "route"):
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)


def test_more_batch_sizes_than_models_of_their_own_answer_alike(path: Path) -> None:
    runtime = run_openvino.load(path)
    whole = runtime(make_batch(9))
    parts = [runtime({"x": make_batch(9)["x"][:rows]}) for rows in range(1, 9)]
    for rows, part in enumerate(parts, start=1):
        np.testing.assert_array_equal(part.logits, whole.logits[:rows])


@pytest.mark.parametrize("fixed", [False, True])
def test_answers_stay_right_when_more_rows_go_on_than_ever_before(path: Path, fixed: bool) -> None:
    core = openvino.Core()
    model = core.read_model(path)
    if fixed:
        model.reshape({"x": [16, 3]})
    bare = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    generator = np.random.default_rng(0)
    for rows in (16, 16, 16) if fixed else (1, 5, 33, 7, 64):
        inputs = {"x": generator.integers(-8, 9, (rows, 3)).astype(np.float32)}
        thresholds = generator.integers(-12, 14, 3).astype(np.float32)
        expected = run_reference(with_numpy_bodies(GRAPH), inputs, thresholds)
        got = bare({**inputs, "thresholds": thresholds})
        for name in ("logits", "exit", "score", "route"):
            np.testing.assert_array_equal(got[name], getattr(expected, name), err_msg=name)


def test_a_static_file_gives_its_logits(tmp_path: Path) -> None:
    graph = make_chain(0)
    runtime = run_openvino.load_static(export_onnx.save(graph, tmp_path / "m.onnx"))
    expected = run_reference(with_numpy_bodies(graph), make_batch())
    np.testing.assert_array_equal(runtime(make_batch()), expected.logits)


def test_a_precision_that_nobody_knows_is_refused(path: Path) -> None:
    with pytest.raises(OptionError, match="precision"):
        run_openvino.load(path, precision="f8")  # type: ignore[arg-type]  # on purpose


def test_all_outputs_of_any_file_are_given_by_name(chain_files: Path) -> None:
    values = run_openvino.load_values(chain_files / "dense.onnx")(make_batch(3))
    dense = run_openvino.load_dense(chain_files / "dense.onnx")(make_batch(3))
    np.testing.assert_array_equal(values["exit_logits"], dense.logits)
    assert set(values) == {"exit_logits", *(f"scores/{name}" for name in dense.scores)}
