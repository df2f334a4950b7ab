from __future__ import annotations

import pytest

from offramp.errors import OptionError
from offramp.pipeline._ranges import RANGES, check_ranges, find_outside, find_unknown, refuse


@pytest.mark.parametrize("name", sorted(RANGES))
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**20, -1])
def test_no_argument_takes_what_is_no_number_of_its_kind(name: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"{name} ") as refused:
        check_ranges(**{name: value})
    assert refused.value.about == (name,)


@pytest.mark.parametrize("name", sorted(RANGES))
def test_the_ends_of_a_range_belong_to_it(name: str) -> None:
    low, high = RANGES[name]
    assert find_outside("", **{name: low}) == find_outside("", **{name: high}) == {}


def test_all_that_lie_outside_are_named_at_once() -> None:
    with pytest.raises(OptionError, match=r"batch 0 .*seed -1 "):
        check_ranges(batch=0, threads=1, seed=-1, price=None)


def test_words_that_an_argument_does_not_know_are_named_with_those_that_it_knows() -> None:
    wrong = find_unknown("engine", {"name": ("a", "b"), "kind": ("x", "y", "z")}, name="c", kind="w")
    assert wrong == {"engine.name": "c (a or b)", "engine.kind": "w (x, y, z)"}
    with pytest.raises(OptionError, match=r"engine\.name c \(a or b\), engine\.kind w \(x, y, z\)"):
        refuse(wrong)
