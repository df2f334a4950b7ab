"""Rounding numbers of rows up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import OptionError
from offramp.run.torch._buckets import Buckets

SIZES = st.none() | st.lists(st.integers(1, 40), min_size=1)


@given(sizes=SIZES, batch=st.integers(1, 300), data=st.data())
def test_nobody_is_left_out_and_nothing_grows_beyond_the_batch(
    sizes: list[int] | None, batch: int, data: st.DataObject
) -> None:
    rows = data.draw(st.integers(1, batch))
    assert rows <= Buckets(sizes)(rows, batch=batch) <= batch


@given(batch=st.integers(1, 1024))
def test_few_numbers_occur(batch: int) -> None:
    found = {Buckets()(rows, batch=batch) for rows in range(1, batch + 1)}
    assert len(found) <= batch.bit_length() + 1


@pytest.mark.parametrize("sizes", [[], [0], [4, -1]])
def test_what_is_no_number_of_rows_is_refused(sizes: list[int]) -> None:
    with pytest.raises(OptionError, match="buckets"):
        Buckets(sizes)
