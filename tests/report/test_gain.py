from __future__ import annotations

import pytest

from offramp.report._gain import describe_gain, describe_gains, find_interval, judge_gain
from offramp.store.record import PointTimes


@pytest.mark.parametrize(
    ("interval", "judgment"),
    [
        ((1.01, 1.2), "faster"),
        ((0.8, 0.99), "slower"),
        ((0.99, 1.01), "no difference"),
        ((1.0, 1.5), "no difference"),
        ((0.5, 1.0), "no difference"),
        (None, "unknown"),
    ],
)
def test_only_an_interval_that_leaves_out_one_is_a_difference(
    interval: tuple[float, float] | None, judgment: str
) -> None:
    assert judge_gain(interval) == judgment


def test_gains_are_told_with_their_intervals_where_there_are_some() -> None:
    chosen = PointTimes(gain={1: 1.24, 64: 0.5, 7: 1.0}, gain_interval={1: (1.18, 1.31), 64: (0.4, 0.6)})
    assert (
        describe_gains(chosen)
        == "1.24x [1.18, 1.31] at batch 1 and 0.50x [0.40, 0.60] at batch 64 and 1.00x at batch 7"
    )
    assert describe_gains(chosen, only="slower") == "0.50x [0.40, 0.60] at batch 64"
    assert describe_gains(chosen, only="no difference") == ""


def test_an_older_result_has_no_interval() -> None:
    assert find_interval(PointTimes(gain={1: 2.0}), 1) is None
    assert describe_gain(2.0, None) == "2.00x"
