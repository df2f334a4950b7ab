"""Gates that compare another score."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from early_exits import make_reusing
from networks import CifarResNet
from offramp import attach
from offramp.errors import OptionError
from offramp.graph import Graph, to_json
from offramp.nn import Executor
from offramp.testing import PassContract
from offramp.transform import GateBy, gate_by
from passed import make_graph

pytestmark = pytest.mark.tracing
SCORES = ("max_probability", "entropy", "patience")
PICTURES = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def attached(scores: tuple[str, ...]) -> Graph:
    torch.manual_seed(0)
    return attach.exits(CifarResNet(2).eval(), PICTURES[:2], count=2, scores=scores)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return attached(SCORES)


def test_it_is_the_graph_with_that_score_named_first(graph: Graph) -> None:
    assert to_json(gate_by(graph, "entropy")) == to_json(attached(("entropy", "max_probability", "patience")))


@pytest.mark.parametrize("score", SCORES)
def test_each_body_goes_with_its_score(graph: Graph, score: str) -> None:
    changed = gate_by(graph, score)
    for node in changed.nodes:
        if node.role == "score":
            assert (node.recipe or {})["score"] == changed.bodies[node.name].name  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    assert {id(body) for body in changed.bodies.values()} == {id(body) for body in graph.bodies.values()}


def test_the_gates_stop_where_that_score_says(graph: Graph) -> None:
    changed = Executor(gate_by(graph, "entropy")).eval()
    with torch.no_grad():
        first = changed.dense({"x": PICTURES})["exit0/head"][0].softmax(1)
        entropy = -(first * first.log()).sum(1)
        limit = float(entropy.sort().values[2:4].mean())
        taken = changed({"x": PICTURES}, torch.tensor([limit, 0.0])).exit
    assert (taken == 0).tolist() == (entropy < limit).tolist()
    assert int((taken == 0).sum()) == 3


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(SCORES), min_size=1, max_size=4))
def test_only_the_last_choice_gates(graph: Graph, steps: list[str]) -> None:
    changed = graph
    for score in steps:
        changed = gate_by(changed, score)
    assert [(changed[gate.inputs[0].source].recipe or {})["score"] for gate in changed.gates] == [steps[-1]] * 2
    assert sorted(map(id, changed.bodies.values())) == sorted(map(id, graph.bodies.values()))


def test_the_graph_that_was_given_stays_as_it_is(graph: Graph) -> None:
    before = to_json(graph)
    gate_by(graph, "patience")
    assert to_json(graph) == before


def test_the_score_that_gates_already_changes_nothing(graph: Graph) -> None:
    assert to_json(gate_by(graph, SCORES[0])) == to_json(graph)


def test_a_score_that_the_graph_lacks_is_refused_with_those_that_it_has(graph: Graph) -> None:
    with pytest.raises(OptionError, match=r"max_probability, entropy, patience.*'margin'"):
        gate_by(graph, "margin")


class TestGateBy(PassContract):
    def make(self) -> GateBy:
        return GateBy(score="entropy")

    def nothing(self) -> GateBy:
        return GateBy(score="max_probability")

    def graph(self) -> Graph:
        return make_graph()

    def unsuited(self) -> Graph:
        return make_reusing("margin")


def test_the_function_is_the_pass() -> None:
    assert gate_by(make_graph(), "margin").steps[-1] == GateBy(score="margin")
