"""Arrays against what a network reads."""

from __future__ import annotations

import numpy as np
import pytest

from offramp.errors import DataError
from offramp.run._ports import Port, check_inputs, ports_of

PICTURE = Port(name="x", shape=(3, None), dtype="float32")
TOKENS = Port(name="ids", shape=(), dtype="int64")
GOOD = np.zeros((2, 3, 5), np.float32)


def test_a_card_lists_ports() -> None:
    assert ports_of({"ids": {"shape": [], "dtype": "int64"}}) == (TOKENS,)


def test_arrays_come_in_the_order_of_the_ports() -> None:
    rows, arrays = check_inputs([PICTURE, TOKENS], {"ids": np.zeros(2, np.int64), "x": GOOD})
    assert rows == 2
    assert [array.dtype.name for array in arrays] == ["float32", "int64"]


@pytest.mark.parametrize("inputs", [GOOD, {"x": GOOD}, {"any name": GOOD}])
def test_a_single_array_needs_no_name(inputs: object) -> None:
    assert check_inputs([PICTURE], inputs)[0] == 2  # type: ignore[arg-type]  # on purpose of every kind


@pytest.mark.parametrize("array", [GOOD.astype(np.float64), GOOD[:, :2], GOOD[0], np.float32(0)])
def test_other_types_and_shapes_are_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match="convert or reshape"):
        check_inputs([PICTURE], {"x": array})


def test_all_inputs_have_equally_many_rows() -> None:
    with pytest.raises(DataError, match="equally many rows"):
        check_inputs([PICTURE, TOKENS], {"ids": np.zeros(3, np.int64), "x": GOOD})


def test_inputs_of_which_one_has_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match=r"equally many rows, but got \{'x': 2, 'ids': 0\}"):
        check_inputs([PICTURE, TOKENS], {"ids": np.zeros(0, np.int64), "x": GOOD})


def test_no_rows_are_rows() -> None:
    assert check_inputs([PICTURE, TOKENS], {"ids": np.zeros(0, np.int64), "x": GOOD[:0]})[0] == 0
