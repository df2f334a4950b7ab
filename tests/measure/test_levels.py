from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidences import GATES
from offramp.measure._levels import BRANCHYNET_GRID, find_levels, grid_levels

SCORES = st.lists(
    st.one_of(st.floats(0, 1, width=32), st.just(float("nan")), st.sampled_from([0.5, 0.25])), min_size=1, max_size=30
)


@settings(deadline=None, max_examples=60)
@given(scores=SCORES, score=st.sampled_from(sorted(GATES)), most=st.sampled_from([None, 3]))
def test_a_level_stops_exactly_the_ranks_below_it(scores: list[float], score: str, most: int | None) -> None:
    values = np.array(scores, np.float32)
    levels = find_levels(values, GATES[score], most=most)
    limits = levels.thresholds[:, None]
    stops = values >= limits if score == "max_probability" else values < limits
    assert np.array_equal(stops, levels.ranks < np.arange(levels.top + 1)[:, None])


@settings(deadline=None, max_examples=60)
@given(scores=SCORES, score=st.sampled_from(sorted(GATES)), grid=st.lists(st.floats(0, 1, width=32), min_size=1))
def test_a_level_of_a_grid_stops_exactly_the_ranks_below_it(scores: list[float], score: str, grid: list[float]) -> None:
    values = np.array(scores, np.float32)
    levels = grid_levels(values, GATES[score], grid)
    limits = levels.thresholds[:, None]
    stops = values >= limits if score == "max_probability" else values < limits
    assert np.array_equal(stops, levels.ranks < np.arange(levels.top + 1)[:, None])
    assert set(levels.thresholds[1:].tolist()) == set(grid)
    assert not stops[0].any()


@pytest.mark.parametrize("score", sorted(GATES))
def test_thresholds_between_neighbors_that_touch_in_float32_still_part_them(score: str) -> None:
    low = np.float32(0.9)
    values = np.array([low, np.nextafter(low, np.float32(1))])
    levels = find_levels(values, GATES[score])
    limit = levels.thresholds[1]
    assert (values >= limit).tolist() == [False, True]


def test_thresholds_lie_halfway() -> None:
    levels = find_levels(np.array([0.25, 0.75], np.float32), GATES["max_probability"])
    assert levels.thresholds.tolist() == [2.0, 0.5, 0.0]


def test_the_published_grid_has_levels_that_decide_alike() -> None:
    values = np.random.default_rng(0).gamma(0.3, size=5000).astype(np.float32)
    levels = find_levels(values, GATES["entropy"], most=20)
    stopped = {int((levels.ranks < level).sum()) for level in levels.marked}
    assert {int((values < np.float32(limit)).sum()) for limit in BRANCHYNET_GRID} <= stopped


@pytest.mark.parametrize("score", sorted(GATES))
def test_asked_thresholds_have_levels_that_decide_alike(score: str) -> None:
    values = np.random.default_rng(0).random(5000).astype(np.float32)
    asked = np.array([0.111, 0.222, 0.999], np.float32)
    levels = find_levels(values, GATES[score], most=5, asked=asked)
    passed = values[:, None] >= asked if score == "max_probability" else values[:, None] < asked
    assert (levels.ranks[:, None] < levels.asked).sum(axis=0).tolist() == passed.sum(axis=0).tolist()
