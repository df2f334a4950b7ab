"""The torch executor against the reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from examples import some
from graphs import STOP_HIGH, STOP_LOW, make_chain, random_graphs, with_numpy_bodies
from offramp.errors import ThresholdError
from offramp.graph import Graph
from offramp.nn import Executor
from offramp.run import run_reference


def compare(graph: Graph, x: np.ndarray, thresholds: np.ndarray) -> None:
    expected = run_reference(with_numpy_bodies(graph), {"x": x}, thresholds)
    with torch.no_grad():
        got = Executor(graph)({"x": torch.tensor(x)}, torch.tensor(thresholds))
    np.testing.assert_array_equal(got.route.numpy(), expected.route)
    np.testing.assert_array_equal(got.exit.numpy(), expected.exit)
    np.testing.assert_array_equal(got.score.numpy(), expected.score)
    np.testing.assert_array_equal(got.logits.numpy(), expected.logits)


def integers(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-8, 9, (rows, 3)).astype(np.float32)


@settings(deadline=None, max_examples=some(150), phases=[Phase.generate])
@given(graph=random_graphs(), seed=st.integers(0, 99), rows=st.sampled_from([1, 3, 9]))
def test_a_batch_takes_the_routes_of_its_samples_one_by_one_in_any_graph(graph: Graph, seed: int, rows: int) -> None:
    thresholds = np.random.default_rng(seed).integers(-10, 10, len(graph.gates)).astype(np.float32)
    compare(graph, integers(seed, rows), thresholds)


@settings(deadline=None, max_examples=some(30))
@given(exits=st.integers(0, 5), seed=st.integers(0, 99), low=st.booleans(), rows=st.sampled_from([0, 1, 3, 64]))
def test_a_chain_of_exits_equals_the_reference_bit_by_bit(exits: int, seed: int, low: bool, rows: int) -> None:
    graph = make_chain(exits, STOP_LOW if low else STOP_HIGH, seed)
    thresholds = np.random.default_rng(seed).integers(-10, 10, exits).astype(np.float32)
    compare(graph, integers(seed, rows), thresholds)


@pytest.mark.parametrize("gate", [STOP_HIGH, STOP_LOW])
def test_thresholds_at_the_extremes_send_everybody_to_the_first_or_the_last_exit(gate: object) -> None:
    graph = make_chain(3, gate)  # type: ignore[arg-type]
    x = torch.tensor(integers(1, 20))
    first = Executor(graph)({"x": x}, torch.full((3,), gate.stop_all))  # type: ignore[attr-defined]
    last = Executor(graph)({"x": x}, torch.full((3,), gate.stop_none))  # type: ignore[attr-defined]
    assert first.exit.tolist() == [0] * 20
    assert last.exit.tolist() == [3] * 20


@pytest.mark.parametrize("gate", [STOP_HIGH, STOP_LOW])
def test_nan_never_stops_anybody(gate: object) -> None:
    graph = make_chain(2, gate)  # type: ignore[arg-type]
    graph = graph.with_bodies({name: torch.nn.Flatten() for name in ("stage0", "exit0/head")})
    x = torch.full((4, 3), torch.nan)
    got = Executor(graph)({"x": x}, torch.full((2,), gate.stop_all))  # type: ignore[attr-defined]
    assert (got.route[:, 0] == 1).all()


def test_thresholds_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(ThresholdError, match="expected 2 thresholds"):
        Executor(make_chain(2))({"x": torch.zeros(1, 3)}, torch.zeros(3))


def test_dense_gives_every_node_for_every_row() -> None:
    values = Executor(make_chain(2)).dense({"x": torch.zeros(5, 3)})
    assert values["exit1/head"][0].shape == (5, 3)


@settings(deadline=None, max_examples=some(100), phases=[Phase.generate])
@given(graph=random_graphs(), seed=st.integers(0, 99), rows=st.sampled_from([1, 5]))
def test_forced_edges_open_where_their_control_node_runs_and_nowhere_else(graph: Graph, seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    x = torch.tensor(integers(seed, rows))
    thresholds = torch.zeros(len(graph.gates))
    forced = {node.name: torch.tensor(random.integers(-1, len(node.edges), rows)) for node in graph.controls}
    got = Executor(graph)({"x": x}, thresholds, forced=forced)
    alone = [Executor(graph)({"x": x[[at]]}, thresholds, forced={n: f[[at]] for n, f in forced.items()})
             for at in range(rows)]  # fmt: skip
    for at, node in enumerate(graph.controls):
        route, wished = got.route[:, at], forced[node.name]
        obeyed = (route == wished) | (wished < 0) | (route == len(node.edges))
        assert bool(obeyed.all())
    assert torch.equal(got.route, torch.cat([one.route for one in alone]))
    assert torch.equal(got.logits, torch.cat([one.logits for one in alone]))


@settings(deadline=None, max_examples=some(60), phases=[Phase.generate])
@given(graph=random_graphs(), seed=st.integers(0, 99))
def test_the_edges_scores_explain_the_route_and_are_zero_where_nobody_ran(graph: Graph, seed: int) -> None:
    got = Executor(graph)({"x": torch.tensor(integers(seed, 6))}, torch.zeros(len(graph.gates)))
    learned = [node.name for node in graph.controls if node.gate is None]
    assert sorted(got.values) == sorted(learned)
    for at, node in enumerate(graph.controls):
        if node.gate is None:
            ran = got.route[:, at] < len(node.edges)
            assert torch.equal(got.values[node.name].argmax(dim=1)[ran], got.route[ran, at])
            assert not got.values[node.name][~ran].any()


def test_gradients_reach_only_the_nodes_that_ran() -> None:
    graph = make_chain(1)
    executor = Executor(graph)
    x = torch.tensor(integers(0, 6))
    stopped = executor({"x": x}, torch.zeros(1), forced={"exit0/gate": torch.zeros(6, dtype=torch.long)})
    stopped.logits.sum().backward()
    ran = {name.split(".")[1] for name, weight in executor.named_parameters() if weight.grad is not None}
    assert ran == {"stage0", "exit0/head"}
