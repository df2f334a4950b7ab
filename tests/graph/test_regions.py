from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings

from graphs import NUMBER, ROW, STOP_HIGH, make_chain, random_graphs
from offramp.graph import Block, DataEdge, Graph, Merge, Node, NodeCall, Value, plan


def walk(block: Block) -> Iterator[Block | NodeCall | Merge]:
    for step in block.steps:
        yield step
        if isinstance(step, Block):
            yield from walk(step)


def names(block: Block) -> list[str]:
    """Nodes whose bodies a block itself runs."""
    return [step.node.name for step in block.steps if isinstance(step, NodeCall)]


def inner(block: Block) -> Block:
    (found,) = [step for step in block.steps if isinstance(step, Block)]
    return found


def test_a_network_without_gates_is_one_block() -> None:
    root = plan(make_chain(0)).root
    assert names(root) == ["stage0"]
    assert root.guard == root.writes == root.controls == ()  # type: ignore[comparison-overlap]  # as it is at run time


def test_the_segments_of_a_chain_are_nested_blocks() -> None:
    root = plan(make_chain(2)).root
    assert names(root) == ["stage0", "exit0/head", "exit0/score", "exit0/gate"]
    assert names(inner(root)) == ["stage1", "exit1/head", "exit1/score", "exit1/gate"]
    assert names(inner(inner(root))) == ["stage2"]


def test_a_segment_runs_on_the_rows_that_the_gate_before_it_lets_go() -> None:
    root = plan(make_chain(2)).root
    assert inner(root).guard == (("exit0/gate", 1),)
    assert inner(inner(root)).guard == (("exit1/gate", 1),)


def test_a_segment_gathers_only_what_it_reads() -> None:
    assert inner(plan(make_chain(1)).root).reads == (Value(node="stage0"),)


def test_select_is_folded_into_the_scatter_of_the_segments() -> None:
    route = plan(make_chain(2))
    assert not [step for step in walk(route.root) if isinstance(step, Merge)]
    (write,) = inner(route.root).writes
    assert write.target == route.answer
    assert write.over == Value(node="exit0/head")


def test_a_block_lists_the_control_nodes_inside_it_for_its_trace() -> None:
    root = plan(make_chain(2)).root
    assert root.controls == ("exit0/gate", "exit1/gate")
    assert inner(root).controls == ("exit1/gate",)


def test_exits_are_told_apart_by_the_control_edges_that_are_open() -> None:
    route = plan(make_chain(2))
    assert route.exits == ((("exit1/gate", 1),), (("exit0/gate", 1),), ())
    assert route.ranks == (2, 1, 0)


def test_what_nothing_depends_on_is_not_run() -> None:
    graph = make_chain(1)
    unread = Node(name="unread", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,))
    assert plan(Graph(nodes=(*graph.nodes, unread), answer="answer")) == plan(graph)


def test_a_value_is_filled_only_where_its_source_may_be_null() -> None:
    nodes = [node for node in make_chain(1).nodes if node.name != "answer"]
    edges = (DataEdge(source="stage0", default=7.0), DataEdge(source="stage1", default=5.0))
    graph = Graph(nodes=(*nodes, Node(name="sum", kind="function", inputs=edges, outputs=(ROW,))), answer="sum")
    (call,) = [step for step in plan(graph).root.steps if isinstance(step, NodeCall) and step.node.name == "sum"]
    assert call.inputs == (Value(node="stage0"), Value(node="stage1", fill=5.0))


def test_parallel_leaves_are_blocks_side_by_side() -> None:
    nodes = (
        Node(name="x", kind="input", outputs=(ROW,)),
        Node(name="s", kind="function", inputs=(DataEdge(source="x"),), outputs=(NUMBER,)),
        Node(name="gate", kind="control", inputs=(DataEdge(source="s"),), edges=("a", "b"), gate=STOP_HIGH),
        Node(name="a", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,)),
        Node(name="b", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,)),
        Node(name="answer", kind="select", inputs=(DataEdge(source="a"), DataEdge(source="b")), outputs=(ROW,)),
    )
    root = plan(Graph(nodes=nodes, answer="answer")).root
    guards = [step.guard for step in root.steps if isinstance(step, Block)]
    assert sorted(guards) == [(("gate", 0),), (("gate", 1),)]


def test_one_level_of_a_select_is_named_after_it() -> None:
    assert Value(node="answer//0").origin == "answer"


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(graph=random_graphs())
def test_a_plan_runs_every_control_node_once_and_no_body_twice(graph: Graph) -> None:
    route = plan(graph)
    called = [step.node.name for step in walk(route.root) if isinstance(step, NodeCall)]
    assert len(called) == len(set(called))
    assert {node.name for node in graph.controls} <= set(called)
    assert sorted(route.root.controls) == sorted(node.name for node in graph.controls)
