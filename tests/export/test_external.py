"""Weights on their way out of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphs import make_chain
from offramp.errors import OutputError
from offramp.export import _body
from offramp.export import onnx as export_onnx
from offramp.export._external import ALIGN, fill, move, name_only, weigh
from offramp.run import _external, data_file

LARGE, SMALL = np.arange(1024, dtype=np.float32), np.arange(4, dtype=np.int64)


def make_model() -> onnx.ModelProto:
    """Large weights in the main graph and in a branch of an If, one of them not as bytes; and a small one."""
    typed = helper.make_tensor("typed", TensorProto.FLOAT, [1024], LARGE.tolist())
    inner = helper.make_graph(
        [helper.make_node("Identity", ["inside"], ["t"])], "then", [],
        [helper.make_tensor_value_info("t", TensorProto.FLOAT, [1024])], [numpy_helper.from_array(LARGE * 2, "inside")],
    )  # fmt: skip
    other = helper.make_graph(
        [helper.make_node("Identity", ["typed"], ["e"])], "else", [],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, [1024])],
    )  # fmt: skip
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other)
    given = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    gives = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1024])
    graph = helper.make_graph([node], "main", [given], [gives], [typed, numpy_helper.from_array(SMALL, "small")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def branches_of(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    return [attribute.g for attribute in model.graph.node[0].attribute]


def test_weights_are_weighed_in_branches_too() -> None:
    assert weigh(make_model()) == 2 * LARGE.nbytes + SMALL.nbytes


def test_weights_that_are_only_named_count_where_they_are_and_come_when_asked() -> None:
    model, whole = make_model(), make_model()
    (inside,) = (one for branch in branches_of(model) for one in branch.initializer)
    source = TensorProto()
    source.CopyFrom(inside)
    inside.CopyFrom(name_only(source, source.name))
    assert weigh(model, {"inside": source}) == weigh(whole)
    fill(model, {"inside": source})
    assert weigh(model) == weigh(whole)
    assert numpy_helper.to_array(inside).tolist() == (LARGE * 2).tolist()


def test_all_but_the_small_move_each_at_a_page_of_its_own(tmp_path: Path) -> None:
    model = make_model()
    tag = move(model, tmp_path / "m.onnx.data", "m.onnx.data")
    typed, small = model.graph.initializer
    (inside,) = (one for branch in branches_of(model) for one in branch.initializer)
    assert small.HasField("raw_data")
    assert [{entry.key: entry.value for entry in one.external_data} for one in (typed, inside)] == [
        {"location": "m.onnx.data", "offset": str(at * ALIGN), "length": str(LARGE.nbytes)} for at in (1, 2)
    ]
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    read = onnx.load(tmp_path / "m.onnx")
    np.testing.assert_array_equal(numpy_helper.to_array(read.graph.initializer[0]), LARGE)
    (inside,) = (one for branch in branches_of(read) for one in branch.initializer)
    np.testing.assert_array_equal(numpy_helper.to_array(inside), LARGE * 2)
    assert (tmp_path / "m.onnx.data").read_bytes().startswith(tag.encode())


def test_other_weights_have_another_tag(tmp_path: Path) -> None:
    one, two = make_model(), make_model()
    two.graph.initializer[0].float_data[0] = 7
    assert move(one, tmp_path / "a", "a") != move(two, tmp_path / "b", "b")


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_external, "LIMIT", 10)


@pytest.mark.usefixtures("small_files")
def test_a_second_file_takes_the_place_of_the_first_with_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for exits in (1, 2):
        export_onnx.save(make_chain(exits), path)
    assert data_file(path).is_file()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    onnx.checker.check_model(str(path))


@pytest.mark.usefixtures("small_files")
def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        export_onnx.save(make_chain(1), path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("small_files")
def test_a_body_of_many_weights_is_traced_without_a_second_copy_of_them() -> None:
    body = make_chain(1).bodies["stage0"]
    copied = _body._copied(body)  # type: ignore[arg-type]  # a module
    assert copied is not body
    assert copied.weight is body.weight  # type: ignore[attr-defined]  # a module


def test_others_are_traced_in_a_copy() -> None:
    body = make_chain(1).bodies["stage0"]
    assert _body._copied(body).weight is not body.weight  # type: ignore[arg-type,attr-defined]  # a module
