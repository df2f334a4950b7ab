"""All routes of a graph are those that its samples can take."""

from __future__ import annotations

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from examples import some
from graphs import make_chain, random_graphs, with_numpy_bodies
from offramp.graph import Graph, find_routes
from offramp.run import run_reference


def test_a_chain_of_exits_has_a_route_per_exit() -> None:
    assert list(find_routes(make_chain(2))) == [(0, 2), (1, 0), (1, 1)]


def test_without_decisions_there_is_one_route() -> None:
    assert list(find_routes(make_chain(0))) == [()]


@settings(deadline=None, max_examples=some(50), phases=[Phase.generate])
@given(graph=random_graphs(), seed=st.integers(0, 99))
def test_whatever_route_is_taken_is_among_them(graph: Graph, seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs = {"x": generator.integers(-8, 9, (1, 3)).astype(np.float32)}
    thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
    taken = run_reference(with_numpy_bodies(graph), inputs, thresholds).route
    routes = list(find_routes(graph))
    assert tuple(taken[0].tolist()) in routes
    assert len(set(routes)) == len(routes)
