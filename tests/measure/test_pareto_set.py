from __future__ import annotations

import numpy as np
import pytest

from offramp.measure._pareto_set import ParetoSet, front, spread


def test_the_front_is_safest_first_and_drops_the_dominated() -> None:
    quality = np.array([5.0, 4.0, 4.0, 3.0, 1.0])
    cost = np.array([9.0, 5.0, 6.0, 5.0, 1.0])
    assert front(quality, cost).tolist() == [0, 1, 4]


def test_of_equals_one_stays() -> None:
    assert front(np.ones(3), np.ones(3)).tolist() == [0]


@pytest.mark.parametrize("most", [2, 5, 50])
def test_spread_points_are_few_and_keep_both_ends(most: int) -> None:
    curve = ParetoSet(levels=np.zeros((20, 1), np.int32), quality=np.linspace(20, 1, 20), cost=np.geomspace(8, 1, 20))
    places = spread(curve, most)
    assert len(places) <= most
    assert places[[0, -1]].tolist() == [0, 19]
