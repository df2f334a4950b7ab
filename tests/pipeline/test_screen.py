from __future__ import annotations

import warnings

import pytest

from offramp.errors import OfframpWarning
from offramp.pipeline import Progress
from offramp.pipeline._screen import Screen


def told(events: list[Progress]) -> list[tuple[str, str]]:
    return [(event.state, event.step) for event in events]


def test_a_listener_is_told_when_a_step_begins_gets_on_and_ends() -> None:
    events: list[Progress] = []
    times = iter([10.0, 10.0, 12.0, 15.0])
    screen = Screen(events.append, clock=lambda: next(times))
    with screen.step("work"):
        screen.watch(1, 4, "epoch 1/4")
    assert told(events) == [("begun", "work"), ("going", "work"), ("done", "work")]
    assert (events[1].done, events[1].total, events[1].detail, events[1].seconds) == (1, 4, "epoch 1/4", 2.0)
    assert events[2].seconds == 5.0


def test_a_step_that_fails_is_not_called_done() -> None:
    events: list[Progress] = []
    with pytest.raises(ValueError, match="broken"), Screen(events.append).step("work"):
        raise ValueError("broken")
    assert told(events) == [("begun", "work"), ("stopped", "work")]


def test_parts_are_passed_on_and_counted() -> None:
    events: list[Progress] = []
    assert list(Screen(events.append).progress([[1, 2], [3]], 3, "reading")) == [[1, 2], [3]]
    assert [event.done for event in events if event.state == "going"] == [0, 2, 3]
    assert not any(event.is_titled for event in events if event.state != "going")


def test_parts_that_are_left_before_their_end_are_over_when_their_step_is() -> None:
    events: list[Progress] = []
    screen = Screen(events.append)
    with screen.step("outer"):
        parts = screen.progress([[1], [2]], 2, "reading")
        next(parts)
    with screen.step("next"):
        del parts  # closed late, as where an error keeps it alive
    ends = [(event.state, event.step) for event in events if event.state in ("done", "stopped")]
    assert ends == [("stopped", "reading"), ("done", "outer"), ("done", "next")]


def test_without_a_listener_nothing_is_shown() -> None:
    screen = Screen()
    with screen.step("work"):
        screen.watch(1, 2, "")
        screen.say("a word")
    assert not screen.shows


def test_a_warning_is_one_of_python_and_noted_for_the_record() -> None:
    screen = Screen()
    with pytest.warns(OfframpWarning, match="mind the gap") as given:
        screen.warn("mind the gap", about=["gap"])
    message = given[0].message
    assert isinstance(message, OfframpWarning)
    assert message.about == ("gap",)
    assert screen.warnings == ["mind the gap"]


def test_the_librarys_own_warnings_are_noted_once_and_those_of_others_never() -> None:
    screen = Screen()

    with warnings.catch_warnings(record=True) as given, screen.step("outer"), screen.step("inner"):
        warnings.simplefilter("always")
        for text in ("too few MACs", "too few MACs"):
            warnings.warn(text, OfframpWarning, stacklevel=1)
        warnings.warn("of somebody else", UserWarning, stacklevel=1)
    assert [str(one.message) for one in given] == ["too few MACs", "of somebody else"]
    assert screen.warnings == ["too few MACs"]
