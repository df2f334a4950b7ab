"""Steps as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.graph import Step


@dataclass(frozen=True)
class Holding(Step):
    name: ClassVar[str] = "holding"
    value: Any


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(plain, lambda inner: st.tuples(inner, inner) | st.dictionaries(st.sampled_from("ab"), inner))


@given(values)
def test_plain_data_comes_back_through_json(value: Any) -> None:
    data, arrays = Holding(value).to_json()
    assert arrays == {}
    assert Holding.from_json(json.loads(json.dumps(data)), {}) == Holding(value)


@pytest.mark.parametrize("size", [0, 3, 64, 65, 1000])
@pytest.mark.parametrize("kind", ["float32", "int8", "bool"])
def test_small_arrays_are_written_into_the_text_and_large_ones_beside_it(size: int, kind: str) -> None:
    value = {"a": (np.arange(size).astype(kind), 1.5)}
    data, arrays = Holding(value).to_json()
    assert list(arrays) == (["value/a/0"] if size > 64 else [])
    back = Holding.from_json(json.loads(json.dumps(data)), arrays).value["a"]
    np.testing.assert_array_equal(back[0], value["a"][0])
    assert (back[0].dtype, back[1]) == (np.dtype(kind), 1.5)


def test_a_step_says_its_name() -> None:
    assert Holding(1).to_json()[0] == {"pass": "holding", "options": {"value": 1}}
