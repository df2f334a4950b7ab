from __future__ import annotations

from typing import Any

import pytest

from offramp.pipeline._times import add_times, find_times, first_times, mark_times, show_times
from offramp.store.record import AloneTimes, LatencyRecord, PointTimes, RunRecord
from records import make_record, make_result


def made(thresholds: tuple[float, ...] = (0.875, 0.5), **changes: Any) -> RunRecord:
    """A run that was timed, at these thresholds."""
    return make_record(chosen={**make_result()["chosen"], "thresholds": thresholds, **changes})


def latency(mean: float) -> LatencyRecord:
    return LatencyRecord(mean=mean, p50=mean, p95=mean, calls=20)


def test_a_new_run_has_the_times_of_its_point_and_says_what_measured_them() -> None:
    run = made()
    (times,) = first_times(run)
    assert (times.thresholds, times.command, times.samples) == ((0.875, 0.5), run.command, "npz:test.npz")
    assert times.chosen.gain == {1: 2.5, 64: 2.4}
    assert times.baseline.latency_s == run.baseline.latency_s
    assert first_times(made(latency_s={})) == ()


def test_a_run_shows_the_times_of_its_point_only() -> None:
    shown = show_times(made((0.75, 0.5)), first_times(made()))
    assert shown.chosen.gain == {}
    assert shown.chosen.latency_s == {}
    assert shown.chosen.agreement == 0.9912
    assert shown.baseline.latency_s == made().baseline.latency_s
    back = shown.model_copy(update={"chosen": made().chosen})
    assert show_times(back, shown.times).chosen.gain == {1: 2.5, 64: 2.4}


@pytest.mark.parametrize("changes", [{"thresholds": (0.75, 0.5)}, {"exit_rates": (0.25, 0.25, 0.5)}])
def test_the_same_thresholds_on_other_samples_are_another_point(changes: dict[str, Any]) -> None:
    times = first_times(made())
    assert find_times(made(), times) == times[0]
    assert find_times(made(**changes), times) is None


def test_other_samples_are_another_point_even_if_as_many_leave_everywhere() -> None:
    run = make_record(options={"data": "npz:train.npz", "held_out": "npz:new.npz"})
    assert find_times(run, first_times(made())) is None


def test_new_times_take_the_place_of_those_of_the_same_point_alone() -> None:
    first, other = first_times(made())[0], first_times(made((0.75, 0.5)))[0]
    chosen = PointTimes(latency_s={1: latency(0.004)}, gain={1: 0.5})
    newest = mark_times(made(), made(), chosen=chosen, baseline=AloneTimes(), data="npz:new.npz")
    assert add_times([first, other], newest) == (other, newest)
    shown = show_times(made(), [other, newest])
    assert (shown.chosen.gain, shown.chosen.efficiency) == ({1: 0.5}, {})
    assert shown.times[-1].data == "npz:new.npz"


def test_without_any_times_the_baseline_is_left_alone() -> None:
    shown = show_times(made(), [])
    assert shown.baseline == made().baseline
    assert shown.chosen.gain == {}
