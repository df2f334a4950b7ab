from __future__ import annotations

import itertools

import numpy as np
import pytest

from evidences import make_costs, make_evidence
from offramp.measure import operate, qualities
from offramp.measure._levels import as_thresholds, find_levels
from offramp.measure._threshold_grid import is_whole, threshold_grid


@pytest.mark.parametrize("exits", [1, 2, 3])
def test_the_grid_judges_every_combination_as_the_engine_would(exits: int) -> None:
    seen, costs = make_evidence(8, exits, seed=3), make_costs(exits)
    gate = seen.gates["entropy"]
    levels = tuple(find_levels(column, gate) for column in seen.scores["entropy"].T)
    candidates = threshold_grid(levels, qualities(seen, "accuracy"), costs.per_exit)
    combinations = list(itertools.product(*(range(one.top + 1) for one in levels)))
    assert candidates.levels.tolist() == [list(one) for one in combinations]
    for place, chosen in enumerate(combinations):
        point = operate(seen, costs, as_thresholds(levels, np.array(chosen)).tolist(), "entropy")
        assert candidates.quality[place] / 8 == pytest.approx(point.accuracy)
        assert candidates.cost[place] == pytest.approx(point.macs)


def test_a_large_grid_keeps_the_marked_levels() -> None:
    seen = make_evidence(500, 3)
    levels = tuple(find_levels(column, seen.gates["entropy"]) for column in seen.scores["entropy"].T)
    candidates = threshold_grid(levels, qualities(seen, "accuracy"), make_costs(3).per_exit)
    assert not is_whole(levels)
    assert set(levels[0].marked) <= set(candidates.levels[:, 0])
