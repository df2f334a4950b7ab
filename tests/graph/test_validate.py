"""Every law of a graph, with one graph that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from graphs import NUMBER, ROW, STOP_HIGH, make_chain, random_graphs
from offramp.errors import GraphError
from offramp.graph import DataEdge, Graph, Node, Tensor

X = Node(name="x", kind="input", outputs=(ROW,))
SHARED = Tensor(shape=(3,), row_wise=False)


def reads(*names: str) -> tuple[DataEdge, ...]:
    return tuple(DataEdge(source=name) for name in names)


def function(name: str, *sources: str, outputs: tuple[Tensor, ...] = (ROW,)) -> Node:
    return Node(name=name, kind="function", inputs=reads(*sources), outputs=outputs)


def control(name: str, source: str, *edges: str) -> Node:
    return Node(name=name, kind="control", inputs=reads(source), edges=edges)


def gate(source: str, *edges: str, name: str = "gate") -> Node:
    return Node(name=name, kind="control", inputs=reads(source), edges=edges, gate=STOP_HIGH)


def select(name: str, *sources: str, output: Tensor = ROW) -> Node:
    return Node(name=name, kind="select", inputs=reads(*sources), outputs=(output,))


def dummies(*names: str) -> tuple[Node, ...]:
    return tuple(Node(name=name, kind="dummy") for name in names)


def filled(name: str, source: str) -> Node:
    """Runs everywhere: reads x, and a source with a fill."""
    edges = (DataEdge(source="x"), DataEdge(source=source, default=0.0))
    return Node(name=name, kind="function", inputs=edges, outputs=(ROW,))


NET = function("net", "x")
SCORE = function("score", "x", outputs=(NUMBER,))
PICK = control("pick", "x", "a", "b")
A, B = function("a", "x"), function("b", "x")

OFFENDERS: dict[str, tuple[tuple[Node, ...], str]] = {
    "two nodes of one name": ((X, NET, NET), "2 nodes are called 'net'"),
    "a name with a dot": ((X, NET, function("a.b", "x")), "without dots and double slashes, got 'a.b'"),
    "a name with a double slash": ((X, NET, function("a//b", "x")), "without dots and double slashes, got 'a//b'"),
    "an empty name": ((X, NET, function("", "x")), "must be non-empty"),
    "a source that does not exist": ((X, function("net", "y")), "'net' reads 'y', which does not exist"),
    "an output that does not exist": (
        (X, replace(NET, inputs=(DataEdge(source="x", output=1),))),
        "'net' reads output 1 of 'x', which has 1",
    ),
    "a negative output": ((X, replace(NET, inputs=(DataEdge(source="x", output=-1),))), "reads output -1 of 'x'"),
    "a control edge to nowhere": (
        (X, NET, control("pick", "x", "nett")),
        r"leads to 'nett'.* \(did you mean 'net'\?\)",
    ),
    "a control edge to an input": ((X, NET, control("pick", "x", "x")), "opens 'x', a input node"),
    "a control edge to a control node": (
        (X, NET, control("pick", "x", "other"), control("other", "x", "d"), *dummies("d")),
        "opens 'other', a control node",
    ),
    "a control edge to a select": ((X, NET, control("pick", "x", "s"), select("s", "net")), "opens 's', a select node"),
    "two control edges to one node": (
        (X, NET, control("pick", "x", "d", "d"), *dummies("d")),
        "'d' has 2: put dummies on the others",
    ),
    "an input that reads": ((replace(X, inputs=reads("net")), NET), "the input node 'x' must have no inputs"),
    "an input with two outputs": (
        (replace(X, outputs=(ROW, ROW)), NET),
        "the input node 'x' must have .* one row-wise",
    ),
    "an input without rows": ((X, NET, Node(name="z", kind="input", outputs=(SHARED,))), "the input node 'z'"),
    "a function that reads nothing": ((X, NET, function("f")), "the function node 'f' must have inputs and outputs"),
    "a function that gives nothing": ((X, NET, function("f", "x", outputs=())), "the function node 'f' must have"),
    "a dummy that reads": (
        (X, NET, Node(name="d", kind="dummy", inputs=reads("x"))),
        "the dummy node 'd' must have neither",
    ),
    "a control node without edges": (
        (X, NET, control("pick", "x")),
        "the control node 'pick' must have inputs and control",
    ),
    "a control node that gives": (
        (X, NET, replace(control("pick", "x", "d"), outputs=(ROW,)), *dummies("d")),
        "the control node 'pick' must have .* no outputs",
    ),
    "a function with control edges": ((X, replace(NET, edges=("d",)), *dummies("d")), "'net' is a function node"),
    "a function with a gate": ((X, replace(NET, gate=STOP_HIGH)), "only control nodes have control edges or a gate"),
    "a gate with three edges": (
        (X, NET, SCORE, gate("score", "d", "e", "f"), *dummies("d", "e", "f")),
        "the threshold gate 'gate' must read one score and have two edges",
    ),
    "a select that reads nothing": ((X, NET, select("s")), "the select node 's' must have inputs"),
    "a select with two outputs": ((X, NET, replace(select("s", "x"), outputs=(ROW, ROW))), "exactly one output"),
    "a select with a default": (
        (X, NET, replace(select("s"), inputs=(DataEdge(source="x", default=0.0),))),
        "the inputs of the select node 's' must have no defaults",
    ),
    "a data cycle": (
        (X, function("net", "b"), function("b", "net")),
        "no cycle, but 'net' -> 'b' -> 'net'|'b' -> 'net' -> 'b'",
    ),
    "a cycle through a control edge": (
        (X, NET, function("a", "x"), control("pick", "a", "a", "d"), *dummies("d")),
        "must have no cycle, but .*'pick'",
    ),
    "nodes out of order": ((NET, X), "must come in topological order, but 'net' comes before 'x'"),
    "a select of different shapes": (
        (X, NET, SCORE, select("s", "x", "score")),
        "the inputs of the select node 's' must be",
    ),
    "a gate that reads rows": (
        (X, NET, gate("x", "d", "e"), *dummies("d", "e")),
        r"the threshold gate 'gate' must read one number per sample, got shape \(3,\)",
    ),
    "a function that knows no samples": (
        (
            X,
            function("net", "x", outputs=(ROW, SHARED)),
            replace(function("f"), inputs=(DataEdge(source="net", output=1),)),
        ),
        "'f' must read at least one row-wise tensor",
    ),
    "an answer that does not exist": (
        (X, function("net2", "x")),
        r"the answer 'net' does not exist \(did you mean 'net2'",
    ),
    "an answer that is an input": ((replace(X, name="net"),), "the answer must be a function or select node"),
    "an answer that is no row": ((X, function("net", "x", outputs=(NUMBER,))), "'net' must give one row of logits"),
    "a node that can never run": (
        (X, NET, PICK, A, B, function("both", "a", "b")),
        "'both' can never run: it needs two",
    ),
    "a shared tensor that leaves": (
        (X, NET, PICK, function("a", "x", outputs=(SHARED,)), B, filled("f", "a")),
        "'f' reads the shared tensor of 'a', which may not run",
    ),
    "a select that is null": (
        (X, NET, control("pick", "x", "a", "b", "d"), A, B, *dummies("d"), select("s", "a", "b"), filled("f", "s")),
        "all inputs of the select node 's' are null if 'pick' opens edge 2",
    ),
    "an answer that one decision leaves null": (
        (X, control("pick", "x", "a", "b", "d"), A, B, *dummies("d"), select("net", "a", "b")),
        "all inputs of the select node 'net' are null if 'pick' opens edge 2",
    ),
    "an answer that some samples do not reach": ((X, PICK, A, B, function("net", "a")), "the answer 'net' is null"),
}


@pytest.mark.parametrize("offender", OFFENDERS)
def test_a_graph_is_refused_that_has(offender: str) -> None:
    nodes, message = OFFENDERS[offender]
    with pytest.raises(GraphError, match=message):
        Graph(nodes=nodes, answer="net")


def test_one_message_names_every_offender() -> None:
    with pytest.raises(GraphError) as caught:
        Graph(nodes=(X, function("f", "y"), function("g", "z")), answer="f")
    assert "'f' reads 'y'" in str(caught.value)
    assert "'g' reads 'z'" in str(caught.value)


@pytest.mark.parametrize(("name", "why"), [("x", "only function nodes"), ("netz", "did you mean 'net'")])
def test_a_body_is_refused_for(name: str, why: str) -> None:
    with pytest.raises(GraphError, match=why):
        Graph(nodes=(X, NET), answer="net", bodies={name: abs})


def test_a_gate_needs_no_body() -> None:
    graph = make_chain(1)
    with pytest.raises(GraphError, match="'exit0/gate' has one"):
        graph.with_bodies({"exit0/gate": abs})


def test_an_answer_that_only_independent_decisions_leave_null_is_left_to_the_runtime() -> None:
    nodes = (
        X,
        control("pick", "x", "a", "d"),
        control("also", "x", "b", "e"),
        A,
        B,
        *dummies("d", "e"),
        select("net", "a", "b"),
    )
    assert [exit.name for exit in Graph(nodes=nodes, answer="net").exits] == ["a", "b"]


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(graph=random_graphs())
def test_a_random_graph_without_one_of_its_used_nodes_is_refused(graph: Graph) -> None:
    used = graph["answer"].inputs[0].source
    with pytest.raises(GraphError, match="which does not exist"):
        Graph(nodes=tuple(node for node in graph.nodes if node.name != used), answer="answer")
