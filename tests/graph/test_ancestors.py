"""What a node depends on."""

from __future__ import annotations

from graphs import make_chain
from offramp.graph import find_ancestors

GRAPH = make_chain(2)


def test_data_alone_leads_past_no_gate() -> None:
    names = find_ancestors(GRAPH, GRAPH.exits[-1].name, through_control=False)
    assert not names & {node.name for node in GRAPH.controls}


def test_through_control_everything_that_opens_the_way_belongs_to_it() -> None:
    names = find_ancestors(GRAPH, GRAPH.exits[-1].name)
    assert {node.name for node in GRAPH.controls} <= names


def test_nothing_behind_a_node_belongs_to_it() -> None:
    first = GRAPH.exits[0].name
    assert GRAPH.exits[-1].name not in find_ancestors(GRAPH, first)
