from __future__ import annotations

import numpy as np

from offramp.measure._pool import front


def test_the_front_is_safest_first_and_drops_the_dominated() -> None:
    quality = np.array([5.0, 4.0, 4.0, 3.0, 1.0])
    cost = np.array([9.0, 5.0, 6.0, 5.0, 1.0])
    assert front(quality, cost).tolist() == [0, 1, 4]


def test_of_equals_one_stays() -> None:
    assert front(np.ones(3), np.ones(3)).tolist() == [0]
