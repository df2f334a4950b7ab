from __future__ import annotations

import copy
import pickle
from dataclasses import replace

from graphs import make_chain
from offramp.graph import Graph, History
from offramp.transform import KeepExits

STEP = KeepExits(exits=(0,))


def make() -> Graph:
    graph = make_chain(1)
    return replace(graph, history=History(steps=(STEP,), nodes=graph.nodes))


def test_a_graph_that_was_made_by_hand_knows_no_steps() -> None:
    assert make_chain(1).steps == ()


def test_a_history_says_nothing_about_equality() -> None:
    assert make() == make_chain(1)
    assert repr(make()) == repr(make_chain(1))


def test_trained_bodies_leave_the_history_as_it_is() -> None:
    assert make().with_bodies(make_chain(1, seed=3).bodies).steps == (STEP,)


def test_nodes_that_somebody_changed_have_no_history() -> None:
    graph = make()
    nodes = tuple(replace(node, role="other") if node.role == "head" else node for node in graph.nodes)
    assert replace(graph, nodes=nodes).steps == ()


def test_a_history_goes_with_a_graph_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(make())).steps == (STEP,)
    assert copy.deepcopy(make()).steps == (STEP,)
