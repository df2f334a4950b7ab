from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from offramp.capture._inputs import read_example
from offramp.errors import CaptureError

ROWS = torch.arange(6.0).reshape(2, 3)


class Difference(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left - right


@pytest.mark.parametrize(
    ("example", "names", "keyword"),
    [
        (ROWS, ("x",), False),
        ((ROWS,), ("x",), False),
        ((ROWS, ROWS), ("x0", "x1"), False),
        ({"ids": ROWS, "mask": ROWS}, ("ids", "mask"), True),
    ],
    ids=["tensor", "tuple of one", "tuple", "dictionary"],
)
def test_every_tensor_of_an_example_gets_a_name(example: Any, names: tuple[str, ...], keyword: bool) -> None:
    inputs = read_example(example)
    assert (inputs.names, inputs.keyword) == (names, keyword)


@pytest.mark.parametrize(
    "example", [(ROWS, 2 * ROWS), {"right": 2 * ROWS, "left": ROWS}], ids=["positional", "keyword"]
)
def test_the_model_is_called_as_the_example_was_given(example: Any) -> None:
    assert torch.equal(read_example(example).call(Difference()), -ROWS)  # type: ignore[arg-type]  # a tensor


@pytest.mark.parametrize(("count", "first"), [(1, [0]), (3, [0, 3, 0]), (5, [0, 3, 0, 3, 0])])
def test_more_rows_are_the_given_ones_over_and_over(count: int, first: list[int]) -> None:
    assert read_example(ROWS).rows(count).tensors[0][:, 0].tolist() == first


@pytest.mark.parametrize("example", [(), {}, 3, (ROWS, 3), {"x": ROWS, "flag": True}], ids=repr)
def test_what_holds_other_things_than_tensors_is_refused(example: Any) -> None:
    with pytest.raises(CaptureError, match="a tuple or a dictionary of tensors"):
        read_example(example)


@pytest.mark.parametrize(
    "example", [torch.tensor(1.0), torch.zeros(0, 3), (ROWS, ROWS[:1])], ids=["no axis", "no rows", "unequal"]
)
def test_tensors_without_a_common_batch_axis_are_refused(example: Any) -> None:
    with pytest.raises(CaptureError, match="same batch axis first"):
        read_example(example)
