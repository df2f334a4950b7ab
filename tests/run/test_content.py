from __future__ import annotations

import numpy as np
import pytest

from offramp.run import digest_rows


def test_a_row_is_known_by_what_it_holds_wherever_it_stands() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3, 4)).astype(np.float32)
    order = np.random.default_rng(1).permutation(40)
    found = digest_rows({"x": rows})
    assert found.dtype == np.uint64
    assert len(np.unique(found)) == 40
    np.testing.assert_array_equal(digest_rows({"pixel_values": rows[order]}), found[order])
    np.testing.assert_array_equal(digest_rows({"x": np.asfortranarray(rows)}), found)


@pytest.mark.parametrize("other", [np.ones((1, 4, 3)), np.ones((1, 12)), np.ones((1, 3, 4), np.float32)])
def test_shape_and_type_count(other: np.ndarray) -> None:
    assert digest_rows({"x": np.ones((1, 3, 4))}) != digest_rows({"x": other})


def test_one_bit_makes_another_row() -> None:
    row = np.zeros((1, 1000), np.float32)
    before = digest_rows({"x": row})
    row[0, 999] = np.nextafter(np.float32(0), np.float32(1))
    assert digest_rows({"x": row}) != before


def test_a_number_per_sample_is_a_row_too_and_no_rows_have_none() -> None:
    assert len(np.unique(digest_rows({"x": np.arange(5.0)}))) == 5
    assert digest_rows({"x": np.zeros((0, 3))}).shape == (0,)
    assert digest_rows({}).shape == (0,)
