from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from offramp.graph import DataEdge, Gate, Node, Tensor


def test_a_tensor_is_float32_and_row_wise_unless_told() -> None:
    tensor = Tensor(shape=(2, 3))
    assert (tensor.dtype, tensor.row_wise) == ("float32", True)


def test_a_data_edge_reads_the_first_output_and_has_no_default_unless_told() -> None:
    edge = DataEdge(source="x")
    assert (edge.output, edge.default) == (0, None)


@pytest.mark.parametrize(
    ("part", "attribute"),
    [
        (Tensor(shape=()), "shape"),
        (DataEdge(source="x"), "source"),
        (Gate(direction="higher", stop_all=0, stop_none=1), "direction"),
        (Node(name="x", kind="input"), "name"),
    ],
)
def test_a_part_cannot_be_changed(part: object, attribute: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(part, attribute, None)


def test_parts_with_the_same_content_are_equal() -> None:
    assert Node(name="x", kind="input", outputs=(Tensor(shape=(2,)),)) == Node(
        name="x", kind="input", outputs=(Tensor(shape=(2,)),)
    )
