"""Which score gates best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evidences import GATES, make_costs, make_evidence
from offramp.decide import rank_scores
from offramp.errors import EvidenceError, OptionError
from offramp.measure import Frontier, area, frontier

COSTS = make_costs(2)


def frontiers(**scores: np.ndarray) -> dict[str, Frontier]:
    """One per score, on the same 400 samples."""
    seen = make_evidence(400, 2)
    values = {"max_probability": seen.scores["max_probability"], **scores}
    gates = dict.fromkeys(values, GATES["max_probability"])
    seen = replace(seen, scores=values, gates=gates)
    return {name: frontier(seen, COSTS, score=name) for name in values}


def luck() -> np.ndarray:
    return np.random.default_rng(0).random((400, 2))


def test_the_score_with_the_largest_area_leads() -> None:
    drawn = frontiers(luck=luck())
    found = rank_scores(dict(reversed(drawn.items())), max_loss=0.05)
    assert found.best == "max_probability"
    assert list(found.areas) == ["max_probability", "luck"]
    assert found.areas == {name: area(one, up_to=0.05) for name, one in drawn.items()}


def test_among_equals_the_first_that_was_given_leads() -> None:
    drawn = frontiers()["max_probability"]
    assert rank_scores({"b": drawn, "a": drawn}).best == "b"


def test_without_an_accepted_loss_the_whole_frontier_counts() -> None:
    drawn = frontiers(luck=luck())
    assert rank_scores(drawn).up_to == max(one.losses[-1] for one in drawn.values())


def test_exits_that_never_lose_anything_can_be_ranked() -> None:
    seen = make_evidence(50, 1)
    seen = replace(seen, predictions=np.repeat(seen.reference[:, None], 2, axis=1))
    drawn = frontier(seen, make_costs(1), score="entropy")
    assert rank_scores({"entropy": drawn}).areas["entropy"] == pytest.approx(1 - drawn.points[-1].relative_macs)


def test_a_score_whose_gates_cost_more_loses_to_an_equal_one() -> None:
    seen = make_evidence(400, 2)
    dear = replace(COSTS, per_exit=COSTS.per_exit * 1.01)
    found = rank_scores(
        {"dear": frontier(seen, dear, score="entropy"), "cheap": frontier(seen, COSTS, score="entropy")}
    )
    assert found.best == "cheap"


@pytest.mark.parametrize("other", ["samples", "quality"])
def test_frontiers_that_cannot_be_compared_are_refused(other: str) -> None:
    seen = make_evidence(100, 2)
    drawn = {"max_probability": frontier(seen, COSTS, score="max_probability")}
    if other == "samples":
        drawn["entropy"] = frontier(seen.subset(slice(50)), COSTS, score="entropy")
    else:
        drawn["entropy"] = frontier(seen, COSTS, score="entropy", quality="harm")
    with pytest.raises(EvidenceError, match="entropy differ"):
        rank_scores(drawn)


def test_nothing_cannot_be_ranked() -> None:
    with pytest.raises(OptionError, match="at least one frontier"):
        rank_scores({})
