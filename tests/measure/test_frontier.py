from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from evidences import GATES, make_costs, make_evidence
from offramp.measure import BRANCHYNET_GRID, Costs, Evidence, OperatingPoint, frontier, operate, quality_of
from offramp.measure._pareto_set import front

SCORES = pytest.mark.parametrize("score", ["max_probability", "entropy"])


def _dominated(points: tuple[OperatingPoint, ...], other: OperatingPoint) -> bool:
    return any(point.agreement >= other.agreement and point.macs <= other.macs * (1 + 1e-12) for point in points)


def _by_hand(seen: Evidence, costs: Costs, score: str) -> list[OperatingPoint]:
    """All points that one shared threshold can give: at, and beyond, every score."""
    values = np.unique(seen.scores[score])
    return [
        operate(seen, costs, [float(limit)] * (seen.exits - 1), score)
        for limit in [*values, GATES[score].stop_all, GATES[score].stop_none]
    ]


@SCORES
def test_one_shared_threshold_is_exact(score: str) -> None:
    seen, costs = make_evidence(80, 3), make_costs(3)
    drawn = frontier(seen, costs, score=score, shared=True)
    everything = _by_hand(seen, costs, score)
    kept = front(np.array([one.agreement for one in everything]), np.array([one.macs for one in everything]))
    best = [(everything[place].agreement, everything[place].macs) for place in kept]
    assert [(point.agreement, point.macs) for point in drawn.points] == best
    assert all(len(set(point.thresholds)) == 1 for point in drawn.points)


@SCORES
@pytest.mark.parametrize("samples", [40, 400])
def test_separate_thresholds_are_never_worse_than_a_shared_one(score: str, samples: int) -> None:
    seen, costs = make_evidence(samples, 3), make_costs(3)
    shared = frontier(seen, costs, score=score, shared=True)
    drawn = frontier(seen, costs, score=score)
    some = shared.points[:: max(1, len(shared.points) // 20)]
    cost = [min(one.macs for one in drawn.points if one.agreement >= point.agreement) for point in some]
    assert all(mine <= point.macs * 1.005 for mine, point in zip(cost, some, strict=True))


@pytest.mark.parametrize("exits", [1, 2, 3])
def test_no_point_of_the_published_grid_beats_the_frontier(exits: int) -> None:
    seen, costs = make_evidence(1500, exits, seed=exits), make_costs(exits)
    drawn = frontier(seen, costs, score="entropy")
    grid = BRANCHYNET_GRID if exits < 3 else BRANCHYNET_GRID[::2]
    published = [operate(seen, costs, one, "entropy") for one in itertools.product(grid, repeat=exits)]
    assert all(_dominated(drawn.points, one) for one in published)


@SCORES
def test_points_come_safest_first_and_say_what_their_thresholds_do(score: str) -> None:
    seen, costs = make_evidence(120, 4), make_costs(4)
    drawn = frontier(seen, costs, score=score)
    assert (np.diff(drawn.macs) < 0).all()
    assert (np.diff(drawn.qualities) < 0).all()
    assert all(operate(seen, costs, point.thresholds, score) == point for point in drawn.points)
    assert drawn.full.exit_rates[-1] == 1
    assert drawn.points[-1].exit_rates[0] == 1
    assert drawn.ids is seen.ids


def test_the_approach_is_stricter_than_every_point() -> None:
    drawn = frontier(make_evidence(300, 3), make_costs(3), score="max_probability")
    limits = np.array([point.thresholds for point in (*drawn.approach, drawn.points[0])])
    assert (np.diff(limits, axis=0) <= 0).all()
    assert drawn.full.macs >= drawn.approach[0].macs > drawn.approach[-1].macs > drawn.points[0].macs


def test_many_samples_are_searched_in_part_and_judged_in_whole() -> None:
    seen, costs = make_evidence(7000, 4), make_costs(4)
    drawn = frontier(seen, costs, score="max_probability")
    shared = frontier(seen, costs, score="max_probability", shared=True)
    cost = [[one.macs for one in side.points if one.agreement >= 0.99][-1] for side in (drawn, shared)]
    assert cost[0] < cost[1]
    assert len(drawn.points) <= 400
    middle = drawn.points[len(drawn.points) // 2]
    assert operate(seen, costs, middle.thresholds, "max_probability") == middle


@pytest.mark.parametrize("quality", ["agreement", "accuracy", "harm"])
def test_each_quality_is_best_on_its_own_frontier(quality: Literal["agreement", "accuracy", "harm"]) -> None:
    drawn = frontier(make_evidence(30, 2, classes=3), make_costs(2), score="entropy", quality=quality)
    assert drawn.qualities.tolist() == [quality_of(point, quality) for point in drawn.points]
    assert drawn.qualities[0] >= quality_of(drawn.full, quality)


@pytest.mark.parametrize("shared", [True, False])
def test_scores_that_are_all_nan_let_nobody_leave(shared: bool) -> None:
    seen = make_evidence(20, 2)
    seen = replace(seen, scores={name: np.full((20, 2), np.nan) for name in seen.scores})
    drawn = frontier(seen, make_costs(2), score="entropy", shared=shared)
    assert [point.exit_rates for point in drawn.points] == [(0.0, 0.0, 1.0)]


@pytest.mark.parametrize("shared", [True, False])
def test_a_network_without_early_exits_has_one_point(shared: bool) -> None:
    drawn = frontier(make_evidence(20, 0), make_costs(0), score="entropy", shared=shared)
    assert [(point.thresholds, point.agreement) for point in drawn.points] == [((), 1.0)]
