from __future__ import annotations

import pytest

from evidences import make_costs, make_evidence
from offramp.measure import operate, qualities
from offramp.measure._levels import find_levels, split_levels
from offramp.measure._shared import sweep_shared


@pytest.mark.parametrize("score", ["max_probability", "entropy"])
def test_the_sweep_is_what_each_shared_threshold_does(score: str) -> None:
    seen, costs = make_evidence(30, 3, seed=1), make_costs(3)
    levels = split_levels(find_levels(seen.scores[score].T.ravel(), seen.gates[score]), 3)
    candidates = sweep_shared(levels, qualities(seen, "accuracy"), costs.per_exit)
    for place, limit in enumerate(levels[0].thresholds):
        point = operate(seen, costs, [float(limit)] * 3, score)
        assert candidates.quality[place] / 30 == pytest.approx(point.accuracy)
        assert candidates.cost[place] == pytest.approx(point.macs)
