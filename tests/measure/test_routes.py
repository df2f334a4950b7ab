"""What a route costs, in any graph."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from graphs import make_chain, random_graphs
from offramp.graph import Graph, find_routes
from offramp.measure._routes import active_nodes, dearest_edges, route_chance, route_macs, running_nodes
from offramp.nn import Executor


@settings(deadline=None, max_examples=100, phases=[Phase.generate])
@given(graph=random_graphs(), seed=st.integers(0, 99))
def test_the_cost_is_that_of_the_bodies_that_were_called(graph: Graph, seed: int) -> None:
    random = np.random.default_rng(seed)
    macs = {node.name: int(random.integers(1, 1000)) for node in graph.nodes}
    called: Counter[str] = Counter()
    executor = Executor(graph)
    for name, body in executor.bodies.items():
        body.register_forward_hook(lambda *_, name=name: called.update([name]))
    x = torch.tensor(random.integers(-8, 9, (1, 3)).astype(np.float32))
    route = executor({"x": x}, torch.zeros(len(graph.gates))).route
    charged = {name: cost * (name in executor.bodies) for name, cost in macs.items()}
    assert route_macs(graph, charged, route.numpy()) == sum(macs[name] for name in called)


def test_the_dearest_way_through_a_chain_of_exits_goes_on() -> None:
    graph = make_chain(2)
    edges = dearest_edges(graph, dict.fromkeys(running_nodes(graph), 1))
    assert edges == {"exit0/gate": 1, "exit1/gate": 1}


@settings(deadline=None, max_examples=100, phases=[Phase.generate])
@given(graph=random_graphs())
def test_the_chances_of_all_routes_sum_to_one(graph: Graph) -> None:
    routes = list(find_routes(graph))
    assert sum(route_chance(graph, route) for route in routes) == pytest.approx(1)
    counts = active_nodes(graph, np.array(routes, np.int64).reshape(len(routes), len(graph.controls)))
    functions = sum(graph[name].kind == "function" for name in running_nodes(graph))
    assert ((counts >= 0) & (counts <= functions)).all()


def test_nodes_count_where_they_ran_and_control_nodes_never() -> None:
    graph = make_chain(1)
    assert active_nodes(graph, np.array([[0], [1]])).tolist() == [3, 4]


@pytest.mark.parametrize("rows", [0, 3])
def test_every_sample_has_its_own_cost(rows: int) -> None:
    graph = make_chain(1)
    macs = dict.fromkeys(running_nodes(graph), 10)
    route = np.array([[0], [1], [1]])[:rows]
    assert route_macs(graph, macs, route).tolist() == [40.0, 50.0, 50.0][:rows]
