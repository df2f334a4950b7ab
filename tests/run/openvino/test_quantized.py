"""A quantized model whose borders are bytes says what it said before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

from offramp.export import onnx as export_onnx
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.run.openvino import _specialize
from offramp.run.openvino._branches import branches, entries
from quantized import make_small

ROWS = (1, 2, 7)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small = make_small()
    folder = tmp_path_factory.mktemp("quantized")
    export_onnx.save(small.quantized(small.graph), folder / "dense.onnx", dense=True)
    return export_onnx.save(small.quantized(small.graph), folder / "model.onnx")


def entering(model: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Type and shape of all maps that enter an `If`."""
    for branch in branches(model):
        then = branch.get_then_body()
        for port, parameter in entries(branch, then):
            assert port.get_element_type() == parameter.get_element_type()
            if len(port.get_partial_shape()) == 4:
                sizes = list(port.get_partial_shape())[1:]
                yield port.get_element_type().get_type_name(), tuple(size.get_length() for size in sizes)
        yield from entering(then)


@pytest.mark.parametrize("rows", ROWS)
def test_maps_enter_as_bytes(path: Path, rows: int) -> None:
    model = openvino.Core().read_model(path)
    assert set(entering(model)) == {("f32", (8, 14, 14))}
    model.reshape({"x": [rows, 1, 28, 28]})
    _specialize.specialize(model, rows)
    assert set(entering(model)) == {("u8", (14, 14, 8) if rows == 1 else (8, 14, 14))}


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("limits", [(2, 2), (0, 2), (0.9, 0.6)])
def test_the_answers_are_those_without_the_rewrite(
    path: Path, rows: int, limits: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, thresholds = make_small().held.take(slice(0, rows)), np.array(limits, np.float32)
    got = run_openvino.load(path)(inputs, thresholds)
    nothing: Callable[..., None] = lambda model, rows: None  # noqa: E731  # stands for a function
    monkeypatch.setattr(_specialize, "enter_as_bytes", nothing)
    wanted = run_openvino.load(path)(inputs, thresholds)
    np.testing.assert_array_equal(got.exit, wanted.exit)
    np.testing.assert_allclose(got.logits, wanted.logits, atol=1e-5)


@pytest.mark.parametrize("limits", [(2.0, 2.0), (0.9, 0.6), (0.0, 2.0)])
def test_a_quantized_file_routes_as_its_dense_twin_says(path: Path, limits: tuple[float, float]) -> None:
    samples = make_small().held.subset(slice(256))
    inputs, thresholds = samples.take(slice(0, 256)), np.array(limits, np.float32)
    dense = run_openvino.load_dense(path.with_name("dense.onnx"), precision="int8")(inputs)
    scores = dense.scores["max_probability"]
    stops = scores >= thresholds
    wanted = np.where(stops.any(axis=1), stops.argmax(axis=1), 2)
    near = (np.abs(scores - thresholds) < 1e-4).any(axis=1)
    got = run_openvino.load(path, precision="int8")(inputs, thresholds)
    np.testing.assert_array_equal(got.exit[~near], wanted[~near])


@pytest.mark.parametrize("staged", [True, False])
def test_onnx_runtime_answers_as_openvino_does(path: Path, staged: bool) -> None:
    """A value halfway between two bytes may round either way, and then a logit differs by a step or two."""
    inputs, nobody = make_small().held.take(slice(0, 64)), np.array([2, 2], np.float32)
    here, there = run_openvino.load(path)(inputs, nobody), run_onnx.load(path, staged=staged)(inputs, nobody)
    assert (here.logits.argmax(axis=1) == there.logits.argmax(axis=1)).mean() > 0.95
    assert float(np.abs(here.logits - there.logits).mean()) < 0.02 * float(np.abs(here.logits).max())


def test_a_quantized_file_answers_almost_as_in_float(path: Path, tmp_path: Path) -> None:
    small = make_small()
    floating = export_onnx.save(small.graph, tmp_path / "float.onnx", dense=True)
    inputs = small.held.take(slice(0, 512))
    exits = [
        run_openvino.load_dense(one)(inputs).logits.argmax(axis=2) for one in (floating, path.with_name("dense.onnx"))
    ]
    assert ((exits[0] == exits[1]).mean(axis=0) > 0.97).all()


def test_who_leaves_pays_for_nothing_behind(path: Path) -> None:
    """Weights behind the first gate that are no numbers harm nobody who leaves at it."""
    import onnx

    model = onnx.load(path)
    for node in [node for node in model.graph.node if node.op_type == "If"]:
        for weight in next(a.g for a in node.attribute if a.name == "then_branch").initializer:
            own = weight.name.startswith("stage") and not weight.name.endswith("/scale")  # of what leaves a body
            if weight.data_type == onnx.TensorProto.FLOAT and own:
                broken = np.full(onnx.numpy_helper.to_array(weight).shape, np.nan, np.float32)
                weight.CopyFrom(onnx.numpy_helper.from_array(broken, weight.name))
    broken_path = path.with_name("broken.onnx")
    onnx.save(model, broken_path)
    inputs, everybody = make_small().held.take(slice(0, 5)), np.array([0, 0], np.float32)
    got, wanted = (run_openvino.load(one)(inputs, everybody) for one in (broken_path, path))
    np.testing.assert_array_equal(got.logits, wanted.logits)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("load", [run_openvino.load, run_onnx.load])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_does_not_leave_early(
    path: Path, rows: int, load: Callable[..., Any], wrong: float
) -> None:
    inputs = dict(make_small().held.take(slice(0, rows)))
    inputs["x"] = inputs["x"].copy()
    inputs["x"][-1, 0, 3, 3] = wrong
    got = load(path)(inputs, np.array([0, 0], np.float32))  # everybody leaves first
    assert got.exit.tolist() == [*[0] * (rows - 1), 2]


def test_its_scores_are_none_in_the_evidence_either(path: Path) -> None:
    inputs = {"x": make_small().held.take(slice(0, 2))["x"].copy()}
    inputs["x"][1, 0, 3, 3] = np.nan
    scores = run_openvino.load_dense(path.with_name("dense.onnx"))(inputs).scores["max_probability"]
    np.testing.assert_array_equal(np.isnan(scores), [[False, False], [True, True]])
