from __future__ import annotations

from typing import Any

import pytest

from offramp.errors import OptionError
from offramp.pipeline._exits import Exits, Scoring, read_scores


def test_several_heads_need_exits_that_are_named() -> None:
    with pytest.raises(OptionError, match=r"Name the exits by exits\.placement"):
        Exits(head=("light", "pool"))
    assert not Exits(head=("light", "pool"), placement=("a", "b")).is_by_rule


@pytest.mark.parametrize("count", [0, -4, 10**9])
def test_a_number_of_exits_that_none_can_have_is_refused(count: int) -> None:
    with pytest.raises(OptionError, match=rf"exits\.count {count} \(1 to"):
        Exits(count=count)


@pytest.mark.parametrize(
    ("text", "names", "auto"),
    [
        ("entropy", ("entropy",), False),
        ("entropy, margin", ("entropy", "margin"), False),
        ("auto", (), True),
        ("auto:entropy", ("entropy",), True),
        ("auto: patience ,entropy", ("patience", "entropy"), True),
    ],
)
def test_scores_are_named_or_left_to_be_chosen(text: str, names: tuple[str, ...], auto: bool) -> None:
    assert read_scores(text) == Scoring(names=names, auto=auto)


@pytest.mark.parametrize(
    "text", ["", "auto:", "entropy,", "entropy,entropy", "auto,entropy", "auto:auto", "margin,auto"]
)
def test_scores_without_a_name_or_with_one_twice_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"exits\.scores must be names"):
        Exits(scores=text)


@pytest.mark.parametrize("given", [{}, {"count": 2}])
def test_exits_are_chosen_unless_they_are_counted(given: dict[str, Any]) -> None:
    assert Exits(**given).is_auto == (not given)
