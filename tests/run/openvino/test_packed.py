"""What comes out of one tensor is what came out of four."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

from graphs import make_chain
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run.openvino._packed import output_name, pack, unpack

ROWS = 6
Model = Any  # openvino.Model, which has no types


def make_early(exits: int) -> Graph:
    """Prefers early exits, so that its file carries what happened as a matrix, and looks no route up."""
    chain = make_chain(exits)
    answer = replace(chain[chain.answer], inputs=chain[chain.answer].inputs[::-1])
    return Graph(nodes=(*chain.nodes[:-1], answer), answer=chain.answer, bodies=chain.bodies)


GRAPHS = {"early first": make_early(2), "chain of 1": make_chain(1), "chain of 3": make_chain(3)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packed")
    return {name: export_onnx.save(graph, folder / f"{name}.onnx") for name, graph in GRAPHS.items()}


def read(path: Path, rows: int = ROWS) -> Model:
    model = openvino.Core().read_model(path)
    model.reshape({port: [rows, *list(port.partial_shape)[1:]] for port in model.inputs if port.any_name == "x"})
    return model


def results(model: Model, rows: int = ROWS) -> list[np.ndarray]:
    request = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    x = np.random.default_rng(3).integers(-8, 9, (rows, 3)).astype(np.float32)
    (gates,) = (port.shape[0] for port in model.inputs if port.any_name == "thresholds")
    thresholds = np.array([1, 2, 0][:gates], np.float32)
    return [tensor.copy() for tensor in request.infer({"x": x, "thresholds": thresholds}).values()]


@pytest.mark.parametrize("rows", [1, ROWS])
@pytest.mark.parametrize("name", GRAPHS)
def test_packed_outputs_are_what_they_were(name: str, rows: int, files: dict[str, Path]) -> None:
    expected = results(read(files[name], rows), rows)
    model = read(files[name], rows)
    columns = pack(model)
    (packed,) = results(model, rows)
    for got, wanted in zip(unpack(packed, columns), expected, strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_the_route_of_a_chain_is_looked_up_and_not_sent(files: dict[str, Path]) -> None:
    model = read(files["chain of 3"])
    names = [port.any_name for port in model.outputs]
    columns = dict(zip(names, pack(model), strict=True))
    assert columns["route"].place == columns["exit"].place
    assert columns["route"].table is not None
    assert list(model.outputs[0].shape) == [ROWS, 3 + 1 + 1]  # logits, exit, score


def test_a_route_that_is_computed_is_sent(files: dict[str, Path]) -> None:
    model = read(files["early first"])
    assert [one.table for one in pack(model)] == [None] * 4
    assert list(model.outputs[0].shape) == [ROWS, 3 + 1 + 1 + 2]


def test_the_arrays_are_the_callers_own(files: dict[str, Path]) -> None:
    model = read(files["chain of 1"])
    columns = pack(model)
    (packed,) = results(model)
    first = [array.copy() for array in unpack(packed, columns)]
    kept = unpack(packed, columns)
    packed[:] = -1
    unpack(packed, columns)[0][:] = 7
    for array, wanted in zip(kept, first, strict=True):
        np.testing.assert_array_equal(array, wanted)


def test_what_is_not_a_number_stays_so(files: dict[str, Path]) -> None:
    model = read(files["chain of 1"])
    columns = dict(zip([port.any_name for port in model.outputs], pack(model), strict=True))
    packed = np.zeros((2, 5), np.float32)
    packed[:, columns["score"].place] = [np.nan, -np.inf]
    np.testing.assert_array_equal(unpack(packed, [columns["score"]])[0], [np.nan, -np.inf])


def test_a_batch_of_free_size_stays_as_it_is(files: dict[str, Path]) -> None:
    model = openvino.Core().read_model(files["chain of 1"])
    assert pack(model) == ()
    assert len(model.outputs) == 4


def test_other_outputs_stay_as_they_are(tmp_path: Path) -> None:
    dense = openvino.Core().read_model(export_onnx.save(make_chain(1), tmp_path / "dense.onnx", dense=True))
    dense.reshape({"x": [ROWS, 3]})
    before = [port.any_name for port in dense.outputs]
    assert pack(dense) == ()
    assert [port.any_name for port in dense.outputs] == before


def test_a_network_without_control_nodes_has_no_route_to_pack(tmp_path: Path) -> None:
    model = openvino.Core().read_model(export_onnx.save(make_chain(0), tmp_path / "model.onnx"))
    model.reshape({"x": [ROWS, 3]})
    assert pack(model) == ()


@pytest.mark.parametrize("other", ["a/gather", "zzz"])
def test_an_output_is_known_by_its_own_name_whatever_else_it_is_called(other: str) -> None:
    x = openvino.opset13.parameter([2], np.float32, name="x")
    made = openvino.opset13.relu(x)
    made.output(0).set_names({"score", other})
    model = openvino.Model([openvino.opset13.result(made)], [x])
    assert output_name(model.outputs[0]) == "score"


def test_other_outputs_keep_the_name_that_openvino_gives() -> None:
    x = openvino.opset13.parameter([2], np.float32, name="x")
    made = openvino.opset13.relu(x)
    made.output(0).set_names({"scores/entropy"})
    assert output_name(openvino.Model([openvino.opset13.result(made)], [x]).outputs[0]) == "scores/entropy"
