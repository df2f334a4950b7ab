from __future__ import annotations

import numpy as np
import pytest

from evidences import make_costs, make_evidence
from offramp.measure import qualities
from offramp.measure._levels import find_levels
from offramp.measure._pareto_set import unbeaten
from offramp.measure._search import search
from offramp.measure._threshold_grid import threshold_grid


@pytest.mark.parametrize("seed", range(4))
def test_the_search_comes_within_half_a_percent_of_brute_force(seed: int) -> None:
    seen, costs = make_evidence(60, 3, seed=seed, classes=4), make_costs(3)
    gate = seen.gates["max_probability"]
    levels = tuple(find_levels(column, gate) for column in seen.scores["max_probability"].T)
    good = qualities(seen, "agreement")
    everything = unbeaten(threshold_grid(levels, good, costs.per_exit))
    none = np.zeros((1, 3), np.int32)
    known = threshold_grid(levels, good, costs.per_exit).take(np.array([0]))
    found = search(levels, good, costs.per_exit, known, none)
    for quality, cost in zip(everything.quality, everything.cost, strict=True):
        assert found.cost[found.quality >= quality].min() <= cost * 1.005
