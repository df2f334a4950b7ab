"""The oracle, by hand: small graphs whose answers can be read off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphs import NUMBER, ROW, STOP_HIGH, STOP_LOW, make_chain, with_numpy_bodies
from offramp.errors import DataError, GraphError, ThresholdError
from offramp.graph import DataEdge, Gate, Graph, Node
from offramp.run import run_reference

X = Node(name="x", kind="input", outputs=(ROW,))


def reads(*names: str) -> tuple[DataEdge, ...]:
    return tuple(DataEdge(source=name) for name in names)


def function(name: str, *edges: DataEdge) -> Node:
    return Node(name=name, kind="function", inputs=edges or reads("x"), outputs=(ROW,))


def rows(*values: float) -> dict[str, np.ndarray]:
    return {"x": np.repeat(np.array(values, np.float32)[:, None], 3, axis=1)}


def make_gated(gate: Gate) -> Graph:
    """Negates what stops (the first entry is the score), leaves the rest as it is."""
    nodes = (
        X,
        Node(name="score", kind="function", inputs=reads("x"), outputs=(NUMBER,)),
        Node(name="gate", kind="control", inputs=reads("score"), edges=("stop", "go"), gate=gate),
        function("stop"),
        function("go"),
        Node(name="answer", kind="select", inputs=reads("go", "stop"), outputs=(ROW,)),
    )
    return Graph(
        nodes=nodes,
        answer="answer",
        bodies={"score": lambda x: x[:, 0], "stop": lambda x: -x, "go": lambda x: x},
    )


def make_picked(choose: Callable[[Any], Any]) -> Graph:
    nodes = (
        X,
        Node(name="pick", kind="control", inputs=reads("x"), edges=("a", "b", "c")),
        function("a"),
        function("b"),
        function("c"),
        Node(name="answer", kind="select", inputs=reads("a", "b", "c"), outputs=(ROW,)),
    )
    bodies = {"pick": choose, "a": lambda x: x + 1, "b": lambda x: x + 2, "c": lambda x: x + 3}
    return Graph(nodes=nodes, answer="answer", bodies=bodies)


@pytest.mark.parametrize(("gate", "stops"), [(STOP_HIGH, [1, 0, 0]), (STOP_LOW, [0, 1, 1])], ids=["higher", "lower"])
def test_a_score_at_the_threshold_stops_if_higher_is_better_and_goes_on_if_lower_is(
    gate: Gate, stops: list[int]
) -> None:
    got = run_reference(make_gated(gate), rows(1, 2, 3), np.array([2], np.float32))
    assert got.route[:, 0].tolist() == stops
    assert got.logits[:, 0].tolist() == [value if go else -value for value, go in zip([1, 2, 3], stops, strict=True)]


def test_score_is_of_the_gate_that_stopped_and_1_where_none_did() -> None:
    got = run_reference(make_gated(STOP_HIGH), rows(1, 3), np.array([2], np.float32))
    assert got.score.tolist() == [1, 3]


def test_exit_is_the_place_in_graph_order_of_what_the_answer_took() -> None:
    graph = make_gated(STOP_HIGH)
    got = run_reference(graph, rows(1, 3), np.array([2], np.float32))
    assert [graph.exits[at].name for at in got.exit] == ["go", "stop"]


@pytest.mark.parametrize("gate", [STOP_HIGH, STOP_LOW], ids=["higher", "lower"])
def test_nan_never_stops(gate: Gate) -> None:
    got = run_reference(make_gated(gate), rows(float("nan")), np.array([gate.stop_all], np.float32))
    assert got.route.tolist() == [[1]]


@pytest.mark.parametrize(
    ("scores", "edge"),
    [([0, 5, 1], 1), ([2, 2, 1], 0), ([1, 2, 2], 1), ([np.nan, -1, -2], 1), ([0, np.nan, 3], 2), ([np.nan] * 3, 0)],
)
def test_the_highest_score_opens_its_edge_and_a_tie_the_lower_one(scores: list[float], edge: int) -> None:
    got = run_reference(make_picked(lambda x: np.array([scores], np.float32)), rows(0))
    assert got.route.tolist() == [[edge]]
    assert got.logits[0, 0] == edge + 1


@pytest.mark.parametrize("fill", [0.0, 5.0])
def test_an_edge_with_a_default_reads_its_fill_where_the_source_did_not_run(fill: float) -> None:
    picked = make_picked(lambda x: np.array([[0, 1, 0]], np.float32))
    total = function("total", *reads("x"), DataEdge(source="a", default=fill))
    bodies = {**picked.bodies, "total": lambda x, a: x + a}
    got = run_reference(Graph(nodes=(*picked.nodes, total), answer="total", bodies=bodies), rows(10))
    assert got.logits.tolist() == [[10 + fill] * 3]


def test_a_control_node_that_did_not_run_reports_the_number_of_its_edges() -> None:
    got = run_reference(with_numpy_bodies(make_chain(2)), rows(1), np.array([-1e9, -1e9], np.float32))
    assert got.route.tolist() == [[0, 2]]


def test_no_samples_give_empty_answers() -> None:
    got = run_reference(make_gated(STOP_HIGH), rows(), np.array([2], np.float32))
    assert [part.shape for part in (got.logits, got.exit, got.score, got.route)] == [(0, 3), (0,), (0,), (0, 1)]


@pytest.mark.parametrize("given", [None, [], [1, 2], [[1]]])
def test_as_many_thresholds_as_gates_are_wanted(given: Any) -> None:
    with pytest.raises(ThresholdError, match="expected 1 thresholds, one per gate"):
        run_reference(make_gated(STOP_HIGH), rows(1), given)


def test_a_threshold_that_is_nan_is_refused() -> None:
    with pytest.raises(ThresholdError, match="entry 0 is NaN"):
        run_reference(make_gated(STOP_HIGH), rows(1), np.array([np.nan], np.float32))


def test_a_missing_body_is_named() -> None:
    graph = Graph(nodes=(X, function("net")), answer="net")
    with pytest.raises(GraphError, match="'net' has no body to run"):
        run_reference(graph, rows(1))


def test_an_answer_that_is_null_for_a_sample_is_an_error() -> None:
    nodes = (
        X,
        Node(name="p", kind="control", inputs=reads("x"), edges=("a", "d")),
        Node(name="q", kind="control", inputs=reads("x"), edges=("b", "e")),
        function("a"),
        function("b"),
        Node(name="d", kind="dummy"),
        Node(name="e", kind="dummy"),
        Node(name="answer", kind="select", inputs=reads("a", "b"), outputs=(ROW,)),
    )
    second = lambda x: np.array([[0, 1]], np.float32)  # noqa: E731
    graph = Graph(nodes=nodes, answer="answer", bodies={"p": second, "q": second, "a": abs, "b": abs})
    with pytest.raises(GraphError, match="all inputs of 'answer' are null for a sample"):
        run_reference(graph, rows(1))


def make_pair() -> Graph:
    """Adds two inputs."""
    inputs = (Node(name="a", kind="input", outputs=(ROW,)), Node(name="b", kind="input", outputs=(ROW,)))
    nodes = (*inputs, Node(name="sum", kind="function", inputs=reads("a", "b"), outputs=(ROW,)))
    return Graph(nodes=nodes, answer="sum", bodies={"sum": lambda a, b: a + b})


@pytest.mark.parametrize("sizes", [(2, 1), (2, 0), (0, 2)])
def test_inputs_with_unequal_numbers_of_rows_are_refused(sizes: tuple[int, int]) -> None:
    given = {name: np.zeros((size, 3), np.float32) for name, size in zip("ab", sizes, strict=True)}
    with pytest.raises(DataError, match="equally many rows"):
        run_reference(make_pair(), given)


def test_an_input_that_is_missing_is_named() -> None:
    with pytest.raises(DataError, match=r"missing are \['b'\]"):
        run_reference(make_pair(), {"a": np.zeros((0, 3), np.float32)})
