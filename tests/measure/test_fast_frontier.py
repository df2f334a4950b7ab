"""Quick frontiers."""

from __future__ import annotations

import numpy as np
import pytest

from evidences import make_evidence
from offramp.errors import EvidenceError
from offramp.measure import Breakdown, FastFrontier, frontier

SEEN = make_evidence(600, 3)
PARTS = Breakdown(stages=np.ones(4), heads=np.full(3, 0.1), gate_overheads=np.zeros(3), baseline=4.0, unit="macs")


@pytest.mark.parametrize("score", ["max_probability", "entropy"])
@pytest.mark.parametrize("kept", [[], [1], [0, 2], [0, 1, 2]])
def test_it_never_beats_the_frontier_and_comes_close(kept: list[int], score: str) -> None:
    good, cost = FastFrontier(SEEN, PARTS, score=score, quality="agreement").draw(kept)
    drawn = frontier(SEEN.keep(kept), PARTS.costs(kept), score=score)
    for wanted in (1.0, 0.99, 0.95):
        rough, whole = cost[good >= wanted].min(), drawn.macs[drawn.qualities >= wanted].min()
        assert whole - 1e-12 <= rough <= 1.05 * whole


def test_it_is_sorted_from_best_to_cheapest() -> None:
    good, cost = FastFrontier(SEEN, PARTS, score="entropy", quality="harm").draw([0, 1])
    assert (np.diff(good) < 0).all()
    assert (np.diff(cost) < 0).all()


def test_quality_that_needs_labels_is_refused_without() -> None:
    with pytest.raises(EvidenceError, match="labels"):
        FastFrontier(make_evidence(20, 3, labels=False), PARTS, score="entropy", quality="harm")
