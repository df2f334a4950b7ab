"""Fewer exits on the same network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from early_exits import make_reusing
from offramp import attach
from offramp.errors import GraphError
from offramp.graph import Graph
from offramp.nn import Executor
from offramp.testing import PassContract
from offramp.transform import KeepExits, backbone, keep_exits
from passed import make_graph

PLACES = ["input", "input", 0, 2, 2, 4]
EXITS = len(PLACES)


def make() -> Graph:
    torch.manual_seed(0)
    layers = [layer for _ in range(6) for layer in (nn.Linear(8, 8), nn.ReLU())]
    net = nn.Sequential(*layers, nn.Linear(8, 3))
    scores = ("max_probability", "patience")
    graph = attach.exits(net, torch.zeros(2, 8), placement=PLACES, head=["pool"] * EXITS, scores=scores)  # type: ignore[arg-type]  # as it is at run time
    for body in graph.bodies.values():
        body.eval()  # type: ignore[attr-defined]  # a module
    return graph


GRAPH = make()


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, EXITS - 1)), st.lists(st.floats(0.3, 0.9), min_size=EXITS, max_size=EXITS))
def test_dropping_exits_is_the_same_as_letting_nobody_leave_there(kept: set[int], thresholds: list[float]) -> None:
    graph, x = make(), torch.randn(16, 8)
    never = [value if at in kept else 2.0 for at, value in enumerate(thresholds)]
    fewer = keep_exits(graph, kept)
    with torch.no_grad():
        expected = Executor(graph)({"x": x}, torch.tensor(never))
        given_ = Executor(fewer)({"x": x}, torch.tensor([thresholds[at] for at in sorted(kept)]))
    assert torch.equal(given_.logits, expected.logits)
    where = torch.tensor([*sorted(kept), EXITS])
    assert torch.equal(where[given_.exit], expected.exit)


def test_weights_are_the_same_objects_and_names_stay() -> None:
    graph = make()
    fewer = keep_exits(graph, [1, 3])
    assert [exit.name for exit in fewer.exits] == ["exit1/head", "exit3/head", "stage6"]
    assert all(fewer.bodies[name] is graph.bodies[name] for name in fewer.bodies)
    assert [edge.source for edge in fewer["exit3/score/patience"].inputs] == ["stage3", "exit3/head", "exit1/head"]


@given(st.sets(st.integers(0, EXITS - 1)))
def test_who_is_still_there_is_known(kept: set[int]) -> None:
    assert [exit.cut for exit in keep_exits(GRAPH, kept).exits] == [*sorted(kept), None]


def test_without_any_exit_the_network_is_left() -> None:
    fewer = keep_exits(make(), [])
    assert [exit.name for exit in fewer.exits] == ["stage6"]
    assert not fewer.gates


def test_an_exit_that_is_not_there_is_refused() -> None:
    with pytest.raises(GraphError, match=r"6 exits before the final one, but \[6\]"):
        keep_exits(make(), [0, 6])


@settings(deadline=None, max_examples=10)
@given(st.sets(st.integers(0, 2)))
def test_exits_that_use_earlier_heads_use_those_that_are_left(kept: set[int]) -> None:
    graph, x = make_reusing(learned=True), torch.rand(4, 1, 8, 8)
    fewer = keep_exits(graph, kept)
    with torch.no_grad():
        whole, part = (Executor(one).eval().dense({"x": x}) for one in (graph, fewer))
    left = [at for at in range(4) if at in kept or at == 3]
    assert [exit.name for exit in fewer.exits] == [graph.exits[at].name for at in left]
    for at in kept:
        left = [other for other in sorted(kept) if other < at]
        head = graph.bodies[f"exit{at}/head"]
        said = head(*[whole[graph[f"exit{at}/head"].inputs[0].source][0], *(part[f"exit{i}/head"][0] for i in left)])
        torch.testing.assert_close(part[f"exit{at}/head"][0], said)
        if at:
            ensemble = graph.bodies[f"exit{at}/ensemble"].keep([0, *(1 + i for i in left)])  # type: ignore[attr-defined]
            answer = part[f"exit{at}/ensemble"][0]
            torch.testing.assert_close(answer, ensemble(said, *(part[f"exit{i}/head"][0] for i in left)))


def test_an_ensemble_that_loses_nobody_stays_the_same_object() -> None:
    graph = make_reusing()
    assert keep_exits(graph, [0, 1]).bodies["exit1/ensemble"] is graph.bodies["exit1/ensemble"]
    assert len(keep_exits(graph, [0, 2]).bodies["exit2/ensemble"].log_weight) == 2  # type: ignore[attr-defined]


class TestKeepExits(PassContract):
    def make(self) -> KeepExits:
        return KeepExits(exits=(1,))

    def nothing(self) -> KeepExits:
        return KeepExits(exits=(0, 1))

    def graph(self) -> Graph:
        return make_graph()

    def unsuited(self) -> Graph:
        return backbone(make_graph())


def test_the_function_is_the_pass() -> None:
    graph = make_graph()
    fewer = keep_exits(graph, [0])
    assert fewer == KeepExits(exits=(0,))(graph)
    assert fewer.steps == (*graph.steps, KeepExits(exits=(0,)))
