"""OpenVINO against the reference interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from graphs import make_chain, random_graphs, with_numpy_bodies
from offramp.errors import DataError, EngineError, GraphError, OptionError, ThresholdError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run import Answer, Runtime, run_reference
from offramp.run import openvino as run_openvino
from offramp.testing import RuntimeContract

GRAPH = make_chain(3)
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


@pytest.fixture
def dense(chain_files: Path) -> Path:
    return chain_files / "dense.onnx"


class TestOpenvino(RuntimeContract):
    @pytest.fixture(autouse=True)
    def _path(self, path: Path) -> None:
        self.path = path

    def load(self) -> Runtime:
        return run_openvino.load(self.path)

    def expect(self, inputs: dict[str, np.ndarray], thresholds: np.ndarray) -> Answer:
        return run_reference(with_numpy_bodies(GRAPH), inputs, thresholds)


def rewrite_card(path: Path, target: Path, **entries: object) -> Path:
    model = onnx.load(path)
    card = {**json.loads(model.metadata_props[0].value), **entries}
    onnx.helper.set_model_props(model, {"offramp": json.dumps(card)})
    onnx.save(model, target)
    return target


def batch(rows: int = 4) -> dict[str, np.ndarray]:
    return {"x": np.arange(3 * rows, dtype=np.float32).reshape(rows, 3) % 17 - 6}


@settings(deadline=None, max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graph=random_graphs(), seed=st.integers(0, 99))
def test_any_graph_answers_like_the_reference(
    graph: Graph, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runtime = run_openvino.load(export_onnx.save(graph, tmp_path_factory.mktemp("any") / "model.onnx"))
    generator = np.random.default_rng(seed)
    for rows in (5, 5, 64, 3):  # memory that was enough for one call is not for the next
        inputs = {"x": generator.integers(-8, 9, (rows, 3)).astype(np.float32)}
        thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
        try:
            expected = run_reference(with_numpy_bodies(graph), inputs, thresholds)
        except GraphError:
            with pytest.raises(EngineError, match="reached none"):
                runtime(inputs, thresholds)
            continue
        got = runtime(inputs, thresholds)
        for name in ("logits", "exit", "score", "route"):
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)


def test_more_batch_sizes_than_models_of_their_own_answer_alike(path: Path) -> None:
    runtime = run_openvino.load(path)
    whole = runtime(batch(9))
    parts = [runtime({"x": batch(9)["x"][:rows]}) for rows in range(1, 9)]
    for rows, part in enumerate(parts, start=1):
        np.testing.assert_array_equal(part.logits, whole.logits[:rows])


def test_the_file_answers_in_the_bare_package(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE, path], capture_output=True, text=True, check=False, cwd=path.parent
    )
    assert done.returncode == 0, done.stderr
    expected = run_reference(with_numpy_bodies(GRAPH), batch(), np.array([1, 2, 0], np.float32))
    got = json.loads(done.stdout)
    assert got == {name: getattr(expected, name).tolist() for name in got}


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


def test_without_thresholds_those_of_the_card_apply(path: Path, tmp_path: Path) -> None:
    runtime = run_openvino.load(rewrite_card(path, tmp_path / "m.onnx", thresholds=[-1e9, 0.0, 0.0]))
    assert runtime(batch()).exit.tolist() == [0, 0, 0, 0]


def test_a_card_with_the_wrong_number_of_thresholds_is_refused(path: Path, tmp_path: Path) -> None:
    rewritten = rewrite_card(path, tmp_path / "m.onnx", thresholds=[0.0])
    with pytest.raises(ThresholdError, match="expected 3"):
        run_openvino.load(rewritten)


def test_the_dense_file_gives_every_exit_and_score(dense: Path) -> None:
    answer = run_openvino.load_dense(dense)(batch())
    everybody = run_reference(with_numpy_bodies(GRAPH), batch(), np.full(3, 1e9, np.float32))
    assert answer.logits.shape == (4, 4, 3)
    np.testing.assert_array_equal(answer.logits[:, -1], everybody.logits)
    np.testing.assert_array_equal(answer.scores["sum"], answer.logits[:, :3].sum(axis=2))


def test_a_static_file_gives_its_logits(tmp_path: Path) -> None:
    graph = make_chain(0)
    runtime = run_openvino.load_static(export_onnx.save(graph, tmp_path / "m.onnx"))
    expected = run_reference(with_numpy_bodies(graph), batch())
    np.testing.assert_array_equal(runtime(batch()), expected.logits)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.onnx"):
        run_openvino.load(tmp_path / "nothing.onnx")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    with pytest.raises(EngineError, match=r"broken\.onnx") as caught:
        run_openvino.load(tmp_path / "broken.onnx")
    assert caught.value.__cause__ is not None


def test_a_file_without_metadata_is_refused(path: Path, tmp_path: Path) -> None:
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(EngineError, match="metadata"):
        run_openvino.load(tmp_path / "bare.onnx")


def test_a_dense_file_is_not_a_conditional_one(dense: Path) -> None:
    with pytest.raises(EngineError, match="load_dense"):
        run_openvino.load(dense)


def test_a_precision_that_nobody_knows_is_refused(path: Path) -> None:
    with pytest.raises(OptionError, match="precision"):
        run_openvino.load(path, precision="f8")  # type: ignore[arg-type]  # on purpose


def test_no_threads_are_refused(path: Path) -> None:
    with pytest.raises(OptionError, match="threads"):
        run_openvino.load(path, threads=0)
