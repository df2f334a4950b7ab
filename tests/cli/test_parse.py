from __future__ import annotations

from typing import Any

import pytest

from offramp.cli._parse import (
    read_count,
    read_numbers,
    read_placement,
    read_search,
    read_shape,
    read_target,
)
from offramp.decide import Target
from offramp.errors import OptionError
from offramp.pipeline import Search


def target(**options: Any) -> Target:
    usual: dict[str, Any] = {"max_loss": None, "confidence": None, "kind": None, "budget": None, "knee": False}
    return read_target(**{**usual, **options})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Target(max_loss=0.01)),
        ({"confidence": 0.9}, Target(max_loss=0.01, confidence=0.9)),
        ({"kind": "net"}, Target(max_loss=0.01, kind="net")),
        ({"budget": 0.5}, Target(budget=0.5)),
        ({"knee": True}, Target(knee=True)),
    ],
)
def test_options_name_one_target(options: dict[str, object], expected: Target) -> None:
    assert target(**options) == expected


@pytest.mark.parametrize(
    "options", [{"budget": 0.5, "knee": True}, {"kind": "harm", "knee": True}, {"max_loss": 0.1, "budget": 0.5}]
)
def test_two_targets_exclude_each_other(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="exclude"):
        target(**options)


@pytest.mark.parametrize(("text", "exits"), [("auto", "auto"), ("3", 3), ("-1", -1)])
def test_exits_are_a_number_or_auto(text: str, exits: object) -> None:
    assert read_count(text) == exits


def test_another_word_for_exits_is_refused() -> None:
    with pytest.raises(OptionError, match="a number or auto, but is 'many'"):
        read_count("many")


@pytest.mark.parametrize(("text", "numbers"), [(None, None), ("0.5", (0.5,)), ("1, 2", (1.0, 2.0))])
def test_numbers_stand_between_commas(text: str | None, numbers: tuple[float, ...] | None) -> None:
    assert read_numbers(text, "--mean") == numbers


@pytest.mark.parametrize("text", ["3,0", "1.5", "a"])
def test_a_shape_is_whole_and_positive(text: str) -> None:
    with pytest.raises(OptionError, match="--shape"):
        read_shape(text)


def test_a_shape_has_whole_sizes() -> None:
    assert read_shape("3,224,224") == (3, 224, 224)


@pytest.mark.parametrize(("text", "placement"), [("golden", "golden"), ("layer1", ("layer1",)), ("0, -1", (0, -1))])
def test_a_placement_is_a_rule_or_cut_points(text: str, placement: object) -> None:
    assert read_placement(text) == placement


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Target(max_loss=0.05, confidence=0.9, kind="net")),
        ({"max_loss": 0.02}, Target(max_loss=0.02, confidence=0.9, kind="net")),
        ({"confidence": 0.99, "kind": "harm"}, Target(max_loss=0.05, confidence=0.99, kind="harm")),
        ({"knee": True}, Target(knee=True)),
    ],
)
def test_what_is_not_said_is_as_usual(options: dict[str, object], expected: Target) -> None:
    assert target(**options, usual=Target(max_loss=0.05, confidence=0.9, kind="net")) == expected


def test_a_promise_after_a_budget_is_the_plain_one() -> None:
    assert target(max_loss=0.02, usual=Target(budget=0.5)) == Target(max_loss=0.02)
    assert target(usual=Target(budget=0.5)) == Target(budget=0.5)


@pytest.mark.parametrize(
    ("search", "grid", "expected"),
    [
        ("frontier", None, Search()),
        ("screening", None, Search(name="screening")),
        ("screening", "0.01, 0.1", Search(name="screening", grid=(0.01, 0.1))),
        ("screening", "50%,90%", Search(name="screening", shares=(0.5, 0.9))),
    ],
)
def test_a_search_is_read(search: str, grid: str | None, expected: Search) -> None:
    assert read_search(search, grid) == expected


@pytest.mark.parametrize(
    ("search", "grid", "word"),
    [
        ("luck", None, "search.name"),
        ("frontier", "0.5", "--search screening"),
        ("screening", "50%,0.5", "mixes"),
        ("screening", "half", "0.01,0.1,0.5"),
    ],
)
def test_a_search_that_is_none_is_refused(search: str, grid: str | None, word: str) -> None:
    with pytest.raises(OptionError, match=word):
        read_search(search, grid)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_loss": 1e-320}, "max_loss"),
        ({"max_loss": float("nan")}, "max_loss"),
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 1 - 1e-16}, "confidence"),
        ({"budget": float("inf")}, "budget"),
        ({"budget": float("nan")}, "budget"),
        ({"budget": 1e-320}, "budget"),
    ],
)
def test_a_share_that_nobody_can_prove_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        target(**options)


@pytest.mark.parametrize("text", ["--4", "²", "", " ", "4.0", "nan", "0x4", "4" * 5000])
def test_exits_that_are_no_number_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="a number or auto"):
        read_count(text)


@pytest.mark.parametrize("text", ["--4", "²", "1" * 30, "input"])
def test_what_is_no_index_is_a_name(text: str) -> None:
    assert read_placement(text) == (text,)


@pytest.mark.parametrize("text", ["nan", "0.1,inf", "1e400", "", "0.1,,0.2", "101%", "-1%", "nan%", "1e10"])
def test_a_grid_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--grid"):
        read_search("screening", text)


@pytest.mark.parametrize("text", ["nan", "3,nan,3", "inf", "1e400", "0", "-3,2,2", "2.5", "", "3,,3", "99999,99999,9"])
def test_a_shape_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--shape"):
        read_shape(text)
