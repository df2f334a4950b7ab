from __future__ import annotations

from typing import Any

import pytest

from offramp.report import draw_table
from offramp.report._times import former_times
from records import as_run, make_times


def moved(result: dict[str, Any], count: int) -> dict[str, Any]:
    """The result at another point than those that were timed."""
    chosen = result["chosen"]
    times = [
        make_times(result, thresholds=[0.5 + at / 8], relative_macs=0.3, command=f"offramp bench {at}")
        for at in range(count)
    ]
    return {**result, "times": times, "chosen": {**chosen, "latency_s": {}, "gain": {}, "gain_interval": {}}}


def test_times_of_the_chosen_point_need_no_word(result: dict[str, Any]) -> None:
    assert former_times(as_run({**moved(result, 1), "chosen": result["chosen"]})) == []
    assert former_times(as_run(result)) == []


@pytest.mark.parametrize(("count", "commands"), [(1, ["0"]), (3, ["1", "2"])])
def test_the_last_points_that_were_timed_are_told_as_others(
    result: dict[str, Any], count: int, commands: list[str]
) -> None:
    lines = former_times(as_run(moved(result, count)))
    assert [line.rpartition("bench ")[2].strip("`") for line in lines] == commands
    assert all(line.startswith("timed before, at another point (T ") for line in lines)


def test_the_table_shows_no_time_of_another_point_in_its_row(result: dict[str, Any]) -> None:
    row, *_, last = draw_table(as_run(moved(result, 1))).splitlines()[2:]
    assert row.split()[5:7] == ["-", "-"]
    assert last.startswith("timed before, at another point (T 0.5, 0.300 of the work): 0.800 ms, 2.50x [2.31, 2.70]")


def test_an_older_result_without_times_has_none_to_tell(result: dict[str, Any]) -> None:
    del (old := moved(result, 1))["times"]
    assert former_times(as_run(old)) == []
