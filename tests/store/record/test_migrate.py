from __future__ import annotations

import json
from typing import Any

import pytest

from offramp.store.record import RunRecord, read_run
from offramp.store.record._migrate import migrate
from records import make_result


def read(result: dict[str, Any]) -> RunRecord:
    return read_run(json.dumps(result), "it")


def without(result: dict[str, Any], *paths: str) -> dict[str, Any]:
    """A copy that lacks these names."""
    copy: dict[str, Any] = json.loads(json.dumps(result))
    for path in paths:
        *way, last = path.split(".")
        part = copy
        for name in way:
            part = part[name]
        part.pop(last, None)
    return copy


def test_today_changes_nothing() -> None:
    today = {"schema": 1, "chosen": {}}
    assert migrate(today) is today


@pytest.mark.parametrize(
    "path",
    [
        "schema", "times", "goal.margin", "guarantee.margin", "guarantee.test_interval", "chosen.gain_interval",
        "chosen.gain_to_float", "chosen.gain_to_float_interval", "baseline.in_precision", "baseline.float_latency_s",
        "precisions", "clock", "placement", "model.class_names", "recalibrated", "applied",
    ],
)  # fmt: skip
def test_what_older_results_do_not_say_is_filled_in(path: str) -> None:
    assert read(without(make_result(), path)).schema_version == 1


def test_times_of_the_oldest_results_are_those_of_their_point() -> None:
    old = make_result()
    (times,) = read(old).times
    assert times.thresholds == tuple(old["chosen"]["thresholds"])
    assert times.chosen.gain == {1: 2.5, 64: 2.4}
    assert (times.command, times.samples) == (old["command"], old["options"]["held_out"])


def test_what_was_forgotten_is_dropped() -> None:
    old = make_result()
    old["baseline"]["float_gain"] = {"1": 2.0}
    assert "float_gain" not in read(old).baseline.model_dump()


@pytest.mark.parametrize(
    ("changes", "thresholds"),
    [({}, (0.875, 0.5)), ({"applied": "offramp sweep"}, None), ({"recalibrated": None}, None)],
)
def test_exits_were_chosen_for_the_first_point(changes: dict[str, Any], thresholds: Any) -> None:
    placed = {
        "judged_by": "time", "batch": 1, "baseline": 1.0, "allowed_loss": 0.01, "candidates": [], "kept": [],
        "score": "entropy", "scores": [], "tried": 1, "trials": [],
    }  # fmt: skip
    found = read({**make_result(), "placement": placed, **changes}).placement
    assert found is not None
    assert found.thresholds == thresholds


@pytest.mark.parametrize("broken", [{"times": [3]}, {"chosen": 3}, {"baseline": []}, {"options": None}])
def test_what_is_broken_is_left_to_the_reader(broken: dict[str, Any]) -> None:
    assert migrate({**make_result(), **broken})["schema"] == 1
