from __future__ import annotations

from typing import Any

import pytest

from offramp.pipeline._times import add_times, find_times, known_times, mark_times, show_times


def made(thresholds: list[float], **changes: Any) -> dict[str, Any]:
    """A result that was timed at batch 1."""
    return {
        "command": "offramp optimize",
        "options": {"held_out": None, "data": "digits"},
        "machine": {"cpu": "Test CPU"},
        "chosen": {
            "thresholds": thresholds, "exit_rates": [0.5, 0.5], "relative_macs": 0.6, "accuracy": 0.9,
            "latency_s": {"1": {"mean": 0.001}}, "gain": {"1": 2.0}, **changes,
        },
        "baseline": {"macs": 100, "latency_s": {"1": {"mean": 0.002}}},
    }  # fmt: skip


def at(thresholds: list[float]) -> dict[str, Any]:
    return {"thresholds": thresholds, "exit_rates": [0.5, 0.5]}


def test_an_older_result_has_the_times_of_its_point_and_says_what_measured_them() -> None:
    (times,) = known_times(made([0.9]))
    assert (times["thresholds"], times["command"]) == ([0.9], "offramp optimize")
    assert times["chosen"] == {"latency_s": {"1": {"mean": 0.001}}, "gain": {"1": 2.0}}
    assert times["baseline"] == {"latency_s": {"1": {"mean": 0.002}}}
    assert known_times(made([0.9], latency_s={})) == []


def test_a_result_shows_the_times_of_its_point_only() -> None:
    times = known_times(made([0.9]))
    moved = {**made([0.9]), "chosen": {**made([0.9])["chosen"], **at([0.8])}}
    shown = show_times(moved, times)
    assert shown["chosen"]["gain"] == shown["chosen"]["latency_s"] == {}
    assert shown["chosen"]["accuracy"] == 0.9
    assert shown["baseline"]["latency_s"] == {"1": {"mean": 0.002}}
    back = show_times({**shown, "chosen": {**shown["chosen"], **at([0.9])}}, shown["times"])
    assert back["chosen"]["gain"] == {"1": 2.0}


@pytest.mark.parametrize("name", ["thresholds", "exit_rates"])
def test_the_same_thresholds_on_other_samples_are_another_point(name: str) -> None:
    times = known_times(made([0.9]))
    assert find_times(made([0.9]), times) == times[0]
    moved = {**made([0.9]), "chosen": {**at([0.9]), name: [0.25, 0.75]}}
    assert find_times(moved, times) is None


def test_other_samples_are_another_point_even_if_as_many_leave_everywhere() -> None:
    times = known_times(made([0.9]))
    assert find_times({**made([0.9]), "options": {"held_out": "npz:new.npz", "data": "digits"}}, times) is None


def test_new_times_take_the_place_of_those_of_the_same_point_alone() -> None:
    first, other = known_times(made([0.9]))[0], known_times(made([0.8]))[0]
    chosen = {"latency_s": {"1": {"mean": 0.004}}, "gain": {"1": 0.5}, "efficiency": {}}
    newest = mark_times(made([0.9]), {"command": "offramp bench"}, chosen=chosen, baseline={})
    assert add_times([first, other], newest) == [other, newest]
    shown = show_times(made([0.9]), [other, newest])
    assert shown["chosen"]["gain"] == {"1": 0.5}
    assert shown["chosen"]["efficiency"] == {}


def test_without_any_times_the_baseline_is_left_alone() -> None:
    shown = show_times(made([0.9]), [])
    assert shown["baseline"] == made([0.9])["baseline"]
    assert shown["chosen"]["gain"] == {}
