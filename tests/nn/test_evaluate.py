"""One loop over the nodes of a graph, against the reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from graphs import make_chain, random_graphs, with_numpy_bodies
from offramp.attach import d2nn
from offramp.errors import GraphError
from offramp.graph import Graph
from offramp.nn import evaluate
from offramp.run import run_reference


def integers(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-8, 9, (rows, 3)).astype(np.float32)


def without_conditions(graph: Graph, answer: str) -> Graph:
    """The graph in which everything runs for everybody, with another answer."""
    nodes = tuple(node for node in graph.nodes if node.kind not in ("control", "dummy"))
    names = {node.name for node in nodes}
    return Graph(
        nodes=nodes, answer=answer, bodies={name: graph.bodies[name] for name in graph.bodies if name in names}
    )


@settings(deadline=None, max_examples=100, phases=[Phase.generate])
@given(graph=random_graphs(), seed=st.integers(0, 99), rows=st.sampled_from([0, 1, 5]))
def test_every_node_of_any_graph_gives_what_the_reference_does_if_everything_runs(
    graph: Graph, seed: int, rows: int
) -> None:
    x = integers(seed, rows)
    with torch.no_grad():
        values = evaluate(graph, {"x": torch.tensor(x)})
    for node in graph.nodes:
        if node.kind in ("function", "select") and node.outputs[0].shape == (3,):
            alone = with_numpy_bodies(without_conditions(graph, node.name))
            np.testing.assert_array_equal(values[node.name][0].numpy(), run_reference(alone, {"x": x}).logits)


@settings(deadline=None, max_examples=40)
@given(exits=st.integers(0, 4), seed=st.integers(0, 99), rows=st.sampled_from([1, 3, 16]))
def test_each_exit_gives_the_answer_of_the_samples_that_stop_there(exits: int, seed: int, rows: int) -> None:
    graph, x = make_chain(exits, seed=seed), integers(seed, rows)
    thresholds = np.random.default_rng(seed).integers(-10, 10, exits).astype(np.float32)
    answer = run_reference(with_numpy_bodies(graph), {"x": x}, thresholds)
    with torch.no_grad():
        values = evaluate(graph, {"x": torch.tensor(x)})
    given = np.stack([values[graph.exits[at].name][0][row].numpy() for row, at in enumerate(answer.exit)])
    np.testing.assert_array_equal(given, answer.logits)


def test_only_what_the_wanted_nodes_need_is_run() -> None:
    values = evaluate(make_chain(3), {"x": torch.ones(2, 3)}, nodes=["exit1/head"])
    assert list(values) == ["x", "stage0", "stage1", "exit1/head"]


def test_what_is_known_is_not_run_again_and_needs_no_input() -> None:
    graph, known = make_chain(2), torch.full((2, 3), 4.0)
    values = evaluate(graph, {}, nodes=["exit0/head"], values={"stage0": (known,)})
    assert torch.equal(values["exit0/head"][0], graph.bodies["exit0/head"](known))
    assert values["stage0"][0] is known


def test_other_bodies_are_called_in_the_place_of_the_graphs_own() -> None:
    values = evaluate(make_chain(1), {"x": torch.ones(2, 3)}, bodies={"stage0": lambda x: 5 * x})
    assert torch.equal(values["stage0"][0], torch.full((2, 3), 5.0))


def test_a_control_node_gives_its_scores_if_it_is_asked() -> None:
    graph = d2nn("q: x -> a, b\na: x | fc 2\nb: x | fc 2\nanswer: a or b", (4,))
    assert evaluate(graph, {"x": torch.ones(3, 4)}, nodes=["q"])["q"][0].shape == (3, 2)
    assert "q" not in evaluate(graph, {"x": torch.ones(3, 4)})


def test_gradients_flow_back_to_what_is_known() -> None:
    known = torch.zeros(2, 3, requires_grad=True)
    values = evaluate(make_chain(1), {}, nodes=["stage1"], values={"stage0": (known,)})
    values["stage1"][0].sum().backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    assert known.grad is not None


def test_a_node_without_body_and_value_is_named() -> None:
    graph = make_chain(1)
    with pytest.raises(GraphError, match="'stage0' must have a body or a known value"):
        evaluate(Graph(nodes=graph.nodes, answer=graph.answer), {"x": torch.ones(1, 3)}, nodes=["stage1"])


def test_an_input_without_value_is_named() -> None:
    with pytest.raises(GraphError, match="'x' must have a body or a known value"):
        evaluate(make_chain(1), {}, nodes=["stage0"])
