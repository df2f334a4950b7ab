from __future__ import annotations

from pathlib import Path

import openvino
import pytest

from offramp.run.openvino._branches import branches, entries, gathers_rows, takes_rows


@pytest.fixture
def model(chain_files: Path) -> openvino.Model:
    return openvino.Core().read_model(chain_files / "model.onnx")


def test_a_chain_has_one_branch_on_each_level(model: openvino.Model) -> None:
    (first,) = branches(model)
    (second,) = branches(first.get_then_body())
    (third,) = branches(second.get_then_body())
    assert list(branches(third.get_then_body())) == []


def test_what_both_bodies_read_is_no_entry_of_one(model: openvino.Model) -> None:
    (first,) = branches(model)
    shared = {description.input_index for description in first.get_input_descriptions(1)}
    found = [port.get_index() for port, _ in entries(first, first.get_then_body())]
    assert found
    assert not shared & set(found)


def test_rows_are_taken_by_gathers_along_the_first_axis(model: openvino.Model) -> None:
    (first,) = branches(model)
    gathers = [node for node in first.get_then_body().get_ordered_ops() if gathers_rows(node)]
    assert gathers
    assert all(takes_rows(node.input(0)) and not takes_rows(node.input(1)) for node in gathers)
