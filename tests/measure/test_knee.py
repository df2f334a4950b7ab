from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidences import make_costs, make_evidence
from offramp.errors import CurveError
from offramp.measure import frontier, knee, knee_interval


@settings(deadline=None, max_examples=30)
@given(scale=st.floats(1e-3, 1e9), shift=st.floats(0, 0.5))
def test_units_do_not_move_the_knee(scale: float, shift: float) -> None:
    macs, quality = np.array([1.0, 2, 4, 8]), np.array([0.1, 0.35, 0.4, 0.41])
    assert knee(macs * scale, quality + shift) == 1


@pytest.mark.parametrize(
    ("macs", "quality", "message"),
    [
        ([1.0, 2.0], [0.1, 0.2], "three points"),
        ([1.0, 3.0, 3.0], [0.1, 0.2, 0.3], r"macs\[2\]=3 follows 3"),
        ([1.0, 2.0, 3.0], [0.3, 0.4, 0.3], "cheapest"),
    ],
)
def test_a_curve_without_a_knee_is_refused(macs: list[float], quality: list[float], message: str) -> None:
    with pytest.raises(CurveError, match=message):
        knee(np.array(macs), np.array(quality))


def test_the_interval_holds_the_knee() -> None:
    seen, costs = make_evidence(400, 3), make_costs(3)
    drawn = frontier(seen, costs, score="max_probability")
    place = knee(drawn.macs[::-1], drawn.qualities[::-1])
    low, high = knee_interval(drawn, seen, draws=50)
    assert low <= drawn.points[::-1][place].relative_macs <= high


def test_a_frontier_of_one_point_has_no_interval() -> None:
    seen = make_evidence(20, 0)
    drawn = frontier(seen, make_costs(0), score="entropy")
    with pytest.raises(CurveError, match="none of 5"):
        knee_interval(drawn, seen, draws=5)
