from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from evidences import make_costs, make_evidence
from offramp.decide._sequence import LONGEST, last_certified, order_points
from offramp.measure import frontier

GOOD, BAD = np.zeros(400, np.int8), np.ones(400, np.int8)


@pytest.mark.parametrize(("losses", "place"), [([GOOD, GOOD, BAD, GOOD], 1), ([BAD, GOOD], -1), ([GOOD], 0), ([], -1)])
def test_the_first_failure_ends_the_sequence(losses: list[NDArray[np.int8]], place: int) -> None:
    found, p = last_certified(losses, "agreement", max_loss=0.01, confidence=0.95)
    assert found == place
    assert (p <= 0.05) == (place >= 0)


def test_points_after_the_first_failure_are_not_even_looked_at() -> None:
    seen = iter([GOOD, BAD, GOOD])
    last_certified(seen, "agreement", max_loss=0.01, confidence=0.95)
    assert len(list(seen)) == 1


def test_the_order_is_safest_first_and_short() -> None:
    drawn = frontier(make_evidence(3000, 2), make_costs(2), score="max_probability", shared=True)
    points = order_points(drawn, 0.2)
    assert points[: len(drawn.approach)] == drawn.approach
    assert (np.diff([point.macs for point in points]) <= 0).all()
    assert len(points) <= LONGEST + len(drawn.approach)
