"""Exits as the edges of a graph show them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from graphs import make_chain, random_graphs
from offramp import attach, transform
from offramp.attach import d2nn_cascade, d2nn_chain, high_low
from offramp.graph import Exit, Graph, from_json, to_json

SCORES = ("entropy", "max_probability")


def make(**more: bool) -> Graph:
    layers = [layer for _ in range(4) for layer in (nn.Linear(8, 8), nn.ReLU())]
    network = nn.Sequential(*layers, nn.Linear(8, 3))
    places = {"placement": ["input", 1, 3], "head": ["pool"] * 3}
    return attach.exits(network, torch.zeros(2, 8), scores=SCORES, **places, **more)  # type: ignore[arg-type]


def names(exit: Exit) -> tuple[str, str, list[str], str, str]:
    assert exit.gate is not None
    assert exit.stop is not None
    return exit.name, exit.head.name, [node.name for node in exit.scores.values()], exit.gate.name, exit.stop.name


def test_an_attached_exit_knows_its_head_scores_gate_and_place() -> None:
    exit = make().exits[1]
    scores = ["exit1/score", "exit1/score/max_probability"]
    assert names(exit) == ("exit1/head", "exit1/head", scores, "exit1/gate", "exit1/stop")
    assert list(exit.scores) == ["entropy", "max_probability"]
    assert exit.cut == 1


def test_an_ensemble_answers_and_its_own_head_is_the_head() -> None:
    exit = make(ensemble_heads=True, reuse_logits=True).exits[2]
    scores = ["exit2/score", "exit2/score/max_probability"]
    assert names(exit) == ("exit2/ensemble", "exit2/head", scores, "exit2/gate", "exit2/stop")


def test_the_final_exit_has_no_gate_no_scores_and_no_number() -> None:
    exit = make().exits[-1]
    assert (exit.name, exit.head.name, exit.gate, exit.stop, exit.cut) == ("stage3", "stage3", None, None, None)
    assert not exit.scores


def test_numbers_stay_when_other_exits_are_dropped() -> None:
    fewer = transform.keep_exits(make(), [2])
    assert fewer.exits[0].cut == 2
    assert fewer.exits[0].parts == make().exits[2].parts


def test_the_first_score_is_the_gates_after_another_one_gates() -> None:
    exit = transform.gate_by(make(), "max_probability").exits[0]
    assert list(exit.scores) == ["max_probability", "entropy"]
    assert [edge.source for edge in exit.gate.inputs] == [exit.scores["max_probability"].name]  # type: ignore[union-attr]


@pytest.mark.parametrize(("sees", "stop"), [("features", None), ("answer", "exit0/stop")])
def test_the_gate_of_an_exit_that_learns_when_to_answer_is_its_controller(sees: str, stop: str | None) -> None:
    network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    graph = attach.controllers(network, torch.zeros(2, 8), placement="1", sees=sees)  # type: ignore[arg-type]
    exit = graph.exits[0]
    assert exit.gate == graph["exit0/gate"]
    assert exit.stop == (stop and graph[stop])


@pytest.mark.parametrize("sees", ["features", "answer"])
def test_the_gate_of_a_cheap_network_chooses_between_it_and_the_capable_one(sees: str) -> None:
    graph = high_low(nn.Linear(8, 3), nn.Linear(8, 3), torch.zeros(2, 8), controller="pool", sees=sees)  # type: ignore[arg-type]
    assert [exit.gate for exit in graph.exits] == [graph["choice"], None]
    assert [exit.cut for exit in graph.exits] == [None, None]


def test_exits_of_a_published_cascade_stand_behind_their_control_nodes() -> None:
    exits = d2nn_cascade(width=0.25).exits
    assert [(exit.name, exit.gate and exit.gate.name) for exit in exits] == [
        ("n2", "q1"), ("n4", "q2"), ("n6", "q3"), ("n7", None)
    ]  # fmt: skip


def test_a_graph_that_answers_at_one_node_has_one_exit() -> None:
    (exit,) = d2nn_chain((1, 28, 28), width=0.25).exits
    assert (exit.name, exit.gate) == ("n10", None)


def test_exits_of_a_graph_made_by_hand_are_found_by_its_edges() -> None:
    graph = make_chain(2)
    stripped = Graph(nodes=tuple(replace(node, role=None, recipe=None) for node in graph.nodes), answer="answer")
    assert names(stripped.exits[1]) == ("exit1/head", "exit1/head", ["exit1/score"], "exit1/gate", "exit1/stop")


def test_renamed_nodes_make_the_same_exits() -> None:
    graph = make()
    new = {node.name: f"n{at}" for at, node in enumerate(graph.nodes)}
    nodes = tuple(
        replace(
            node,
            name=new[node.name],
            inputs=tuple(replace(edge, source=new[edge.source]) for edge in node.inputs),
            edges=tuple(new[edge] for edge in node.edges),
        )
        for node in graph.nodes
    )
    renamed = Graph(nodes=nodes, answer=new[graph.answer])
    for exit, other in zip(graph.exits, renamed.exits, strict=True):
        assert {new[name] for name in exit.parts} == other.parts
        assert (exit.cut, list(exit.scores)) == (other.cut, list(other.scores))


@settings(deadline=None, max_examples=60)
@given(random_graphs())
def test_any_graph_has_an_exit_for_each_input_of_its_answer(graph: Graph) -> None:
    assert {exit.name for exit in graph.exits} == {edge.source for edge in graph[graph.answer].inputs}


def test_a_file_from_before_exits_had_numbers_gives_the_same_exits_without_them() -> None:
    described = to_json(make())
    for node in described["nodes"]:
        node.pop("exit", None)
    exits = from_json(described).exits
    assert [exit.cut for exit in exits] == [None] * 4
    assert [exit.parts for exit in exits] == [exit.parts for exit in make().exits]


def test_numbers_survive_the_json_form() -> None:
    assert from_json(to_json(make())).exits == make().exits
