from __future__ import annotations

import pytest

from graphs import ROW, make_chain
from offramp.errors import GraphError
from offramp.graph import DataEdge, Graph, Node


def test_controls_gates_and_inputs_come_in_graph_order() -> None:
    graph = make_chain(2)
    assert [node.name for node in graph.inputs] == ["x"]
    assert [node.name for node in graph.controls] == ["exit0/gate", "exit1/gate"]
    assert graph.gates == graph.controls


def test_a_controller_is_no_gate() -> None:
    nodes = (
        Node(name="x", kind="input", outputs=(ROW,)),
        Node(name="pick", kind="control", inputs=(DataEdge(source="x"),), edges=("d0", "d1", "d2")),
        *(Node(name=f"d{at}", kind="dummy") for at in range(3)),
        Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,)),
    )
    graph = Graph(nodes=nodes, answer="net")
    assert [node.name for node in graph.controls] == ["pick"]
    assert graph.gates == ()


def test_exits_come_in_graph_order_however_the_answer_prefers_them() -> None:
    graph = make_chain(2)
    assert [edge.source for edge in graph["answer"].inputs] == ["stage2", "exit1/head", "exit0/head"]
    assert [exit.name for exit in graph.exits] == ["exit0/head", "exit1/head", "stage2"]


def test_an_answer_that_is_no_select_is_the_only_exit() -> None:
    nodes = (
        Node(name="x", kind="input", outputs=(ROW,)),
        Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,)),
    )
    assert Graph(nodes=nodes, answer="net").exits[0].name == "net"


def test_a_graph_keeps_its_own_copy_of_the_bodies() -> None:
    given = {"stage0": abs}
    graph = Graph(nodes=make_chain(0).nodes, answer="answer", bodies=given)
    given.clear()
    assert dict(graph.bodies) == {"stage0": abs}


def test_bodies_cannot_be_changed_in_place() -> None:
    with pytest.raises(TypeError):
        make_chain(0).bodies["stage0"] = abs  # type: ignore[index]


def test_other_bodies_replace_only_those_that_are_named() -> None:
    graph = make_chain(1)
    changed = graph.with_bodies({"stage0": abs})
    assert changed.bodies["stage0"] is abs
    assert changed.bodies["stage1"] is graph.bodies["stage1"]
    assert graph.bodies["stage0"] is not abs


def test_bodies_do_not_count_when_graphs_are_compared() -> None:
    assert make_chain(1) == make_chain(1, seed=9)


def test_a_body_for_a_name_that_does_not_exist_is_refused_with_the_closest_one() -> None:
    with pytest.raises(GraphError, match=r"'stage9', which does not exist \(did you mean 'stage"):
        make_chain(1).with_bodies({"stage9": abs})
