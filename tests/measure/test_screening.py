from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidences import GATES, make_costs, make_evidence
from offramp.decide import budget, knee, thresholds
from offramp.errors import EvidenceError, OptionError
from offramp.measure import (
    BRANCHYNET_ALEXNET_GRID,
    BRANCHYNET_GRID,
    Frontier,
    OperatingPoint,
    frontier,
    operate,
    quality_of,
    screening,
)
from offramp.measure._pareto_set import front

SCORES = st.sampled_from(sorted(GATES))
EXITS = st.integers(1, 3)
GRIDS = st.lists(st.floats(0, 2.5, width=32), min_size=1, max_size=5)
QUALITIES = st.sampled_from(["agreement", "accuracy", "harm"])
Quality = Literal["agreement", "accuracy", "harm"]


def worth(points: tuple[OperatingPoint, ...] | list[OperatingPoint], quality: Quality) -> list[tuple[float, float]]:
    return [(quality_of(point, quality), point.macs) for point in points]


def beaten_or_met(drawn: Frontier, other: OperatingPoint) -> bool:
    good = quality_of(other, drawn.quality)
    return any(quality_of(one, drawn.quality) >= good and one.macs <= other.macs * (1 + 1e-12) for one in drawn.points)


@settings(deadline=None, max_examples=40)
@given(score=SCORES, exits=EXITS, grid=GRIDS, quality=QUALITIES, seed=st.integers(0, 99))
def test_it_is_what_trying_every_combination_gives(
    score: str, exits: int, grid: list[float], quality: Quality, seed: int
) -> None:
    seen, costs = make_evidence(25, exits, seed=seed, classes=3), make_costs(exits)
    drawn = screening(seen, costs, score=score, grid=grid, quality=quality)
    tried = [operate(seen, costs, one, score) for one in itertools.product(grid, repeat=exits)]
    kept = front(*np.array(worth(tried, quality)).T)
    assert np.allclose(worth(drawn.points, quality), worth([tried[place] for place in kept], quality))
    assert {limit for point in drawn.points for limit in point.thresholds} <= set(grid)


@settings(deadline=None, max_examples=40)
@given(score=SCORES, exits=EXITS, seed=st.integers(0, 99), grid=st.one_of(st.none(), GRIDS))
def test_every_point_says_what_its_thresholds_do(score: str, exits: int, seed: int, grid: list[float] | None) -> None:
    seen, costs = make_evidence(60, exits, seed=seed), make_costs(exits)
    drawn = screening(seen, costs, score=score, grid=grid)
    for point in (*drawn.points, *drawn.approach, drawn.full):
        assert operate(seen, costs, point.thresholds, score) == point


@settings(deadline=None, max_examples=30)
@given(score=SCORES, exits=EXITS, seed=st.integers(0, 99), grid=st.one_of(st.none(), GRIDS), quality=QUALITIES)
def test_the_frontier_search_is_never_worse(
    score: str, exits: int, seed: int, grid: list[float] | None, quality: Quality
) -> None:
    seen, costs = make_evidence(60, exits, seed=seed, classes=4), make_costs(exits)
    searched = frontier(seen, costs, score=score, quality=quality)
    screened = screening(seen, costs, score=score, grid=grid, quality=quality)
    assert all(beaten_or_met(searched, point) for point in screened.points)


@pytest.mark.parametrize("exits", [1, 2, 3])
def test_the_frontier_search_is_never_worse_than_the_published_grid_on_many_samples(exits: int) -> None:
    seen, costs = make_evidence(1500, exits, seed=exits), make_costs(exits)
    searched = frontier(seen, costs, score="entropy")
    assert all(beaten_or_met(searched, point) for point in screening(seen, costs, score="entropy").points)


@settings(deadline=None, max_examples=40)
@given(score=SCORES, exits=EXITS, seed=st.integers(0, 99), share=st.floats(0.05, 1))
def test_a_share_of_those_that_reach_an_exit_leaves_there(score: str, exits: int, seed: int, share: float) -> None:
    seen, costs = make_evidence(200, exits, seed=seed), make_costs(exits)  # scores are distinct
    (point,) = screening(seen, costs, score=score, shares=[share]).points
    assert operate(seen, costs, point.thresholds, score) == point
    going = 200
    for rate in point.exit_rates[:-1]:
        assert round(rate * 200) == int(share * going + 1e-9)
        going -= round(rate * 200)


def test_equal_scores_leave_together_or_not_at_all() -> None:
    seen = make_evidence(10, 1)
    seen = replace(seen, scores={"entropy": np.float32([[0.1]] * 4 + [[0.2]] * 6)}, gates={"entropy": GATES["entropy"]})  # type: ignore[arg-type,dict-item]  # as it is at run time
    rates = [screening(seen, make_costs(1), score="entropy", shares=[share]).points[0].exit_rates[0]
             for share in (0.3, 0.4, 0.9, 1.0)]  # fmt: skip
    assert rates == [0.0, 0.4, 0.4, 1.0]


def test_several_shares_give_a_curve() -> None:
    drawn = screening(make_evidence(300, 2), make_costs(2), score="max_probability", shares=[0.9, 0.5, 0.7, 0.5])
    assert 1 <= len(drawn.points) <= 3
    assert (np.diff(drawn.macs) < 0).all()
    assert (np.diff(drawn.qualities) < 0).all()


@pytest.mark.parametrize(("exits", "grid"), [(1, BRANCHYNET_GRID), (4, BRANCHYNET_GRID), (5, BRANCHYNET_ALEXNET_GRID)])
def test_the_entropy_is_screened_with_the_longest_published_list_that_has_room(
    exits: int, grid: tuple[float, ...]
) -> None:
    seen, costs = make_evidence(40, exits), make_costs(exits)
    usual, named = screening(seen, costs, score="entropy"), screening(seen, costs, score="entropy", grid=grid)
    assert usual.points == named.points


def test_other_scores_are_screened_at_quantiles_of_their_own() -> None:
    seen, costs = make_evidence(170, 1), make_costs(1)
    drawn = screening(seen, costs, score="max_probability")
    seventeenths = np.array([point.exit_rates[0] for point in drawn.points]) * 17
    assert np.allclose(seventeenths, seventeenths.round())
    assert seventeenths[-1] == 17
    assert len(drawn.points) > 3


def test_it_decides_like_the_frontier() -> None:
    tune, calibrate = make_evidence(800, 2), make_evidence(900, 2, seed=1)
    calibrate = replace(calibrate, ids=calibrate.ids + 800)  # type: ignore[operator]  # as it is at run time
    drawn = screening(tune, make_costs(2), score="entropy")
    promised = thresholds(drawn, calibrate, max_loss=0.05)
    assert promised.guarantee is not None
    assert promised.guarantee.status == "certified"
    assert promised.point.relative_macs < 1
    assert knee(drawn).point in drawn.points
    assert budget(drawn, 0.8).point.relative_macs <= 0.8


def test_the_approach_is_stricter_than_the_safest_point_and_of_the_grid() -> None:
    drawn = screening(make_evidence(400, 3), make_costs(3), score="entropy")
    limits = np.array([point.thresholds for point in (*drawn.approach, drawn.points[0])])
    assert (np.diff(limits, axis=0) >= 0).all()
    assert set(limits.ravel()) <= {0.0, *np.float32(BRANCHYNET_GRID).astype(float)}  # type: ignore[arg-type]  # it is there


def test_three_exits_of_seventeen_thresholds_take_well_under_a_second() -> None:
    seen, costs = make_evidence(10_000, 3), make_costs(3)
    start = time.perf_counter()
    screening(seen, costs, score="entropy")
    assert time.perf_counter() - start < 2  # 0.05 s on an idle core


def test_too_many_combinations_are_refused_in_a_sentence() -> None:
    seen, costs = make_evidence(20, 6), make_costs(6)
    with pytest.raises(OptionError, match="6 exits has room for 7 thresholds each, but 11"):
        screening(seen, costs, score="entropy")
    with pytest.raises(OptionError, match="but 8 are asked for"):
        screening(seen, costs, score="entropy", grid=np.linspace(0, 1, 8).tolist())
    assert screening(seen, costs, score="entropy", grid=np.linspace(0, 1, 7).tolist()).points


def test_more_exits_than_there_is_room_for_are_refused_without_a_grid_too() -> None:
    with pytest.raises(OptionError, match="room for 0"):
        screening(make_evidence(20, 20), make_costs(20), score="max_probability")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"grid": []}, "grid"),
        ({"grid": [0.1, float("nan")]}, "NaN"),
        ({"shares": []}, "shares"),
        ({"shares": [0.0]}, "shares"),
        ({"shares": [1.5]}, "shares"),
        ({"grid": [0.1], "shares": [0.9]}, "exclude"),
    ],
)
def test_unfit_options_are_refused(options: dict[str, list[float]], word: str) -> None:
    with pytest.raises(OptionError, match=word):
        screening(make_evidence(20, 1), make_costs(1), score="entropy", **options)  # type: ignore[arg-type]


def test_a_score_that_is_not_there_is_refused() -> None:
    with pytest.raises(EvidenceError, match="luck"):
        screening(make_evidence(20, 1), make_costs(1), score="luck")


@pytest.mark.parametrize("options", [{}, {"grid": [0.5]}, {"shares": [0.9]}])
@pytest.mark.parametrize("score", sorted(GATES))
def test_scores_that_are_all_nan_let_nobody_leave(score: str, options: dict[str, list[float]]) -> None:
    seen = make_evidence(20, 2)
    seen = replace(seen, scores={name: np.full((20, 2), np.nan) for name in seen.scores})
    drawn = screening(seen, make_costs(2), score=score, **options)  # type: ignore[arg-type]
    assert [point.exit_rates for point in drawn.points] == [(0.0, 0.0, 1.0)]


@pytest.mark.parametrize("options", [{}, {"shares": [0.9]}])
def test_a_network_without_early_exits_has_one_point(options: dict[str, list[float]]) -> None:
    drawn = screening(make_evidence(20, 0), make_costs(0), score="entropy", **options)  # type: ignore[arg-type]
    assert [(point.thresholds, point.agreement) for point in drawn.points] == [((), 1.0)]
