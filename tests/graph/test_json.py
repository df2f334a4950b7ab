from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from graphs import make_chain, random_graphs
from offramp.errors import GraphError
from offramp.graph import Graph, from_json, to_json


def through_text(graph: Graph) -> Graph:
    return from_json(json.loads(json.dumps(to_json(graph), allow_nan=False)))


@pytest.mark.parametrize("exits", [0, 1, 3])
def test_a_chain_comes_back_from_text_as_it_was(exits: int) -> None:
    graph = make_chain(exits)
    assert through_text(graph) == graph


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(graph=random_graphs())
def test_any_graph_comes_back_from_text_as_it_was(graph: Graph) -> None:
    assert through_text(graph) == graph


def test_recipes_are_kept_and_bodies_are_not() -> None:
    back = through_text(make_chain(1))
    assert back["exit0/score"].recipe == {"score": "sum"}
    assert dict(back.bodies) == {}


@pytest.mark.parametrize("number", [None, 0, 99, "1"])
def test_another_format_is_refused(number: Any) -> None:
    with pytest.raises(GraphError, match="expected a graph of format 1, got"):
        from_json({**to_json(make_chain(1)), "format": number})


@pytest.mark.parametrize("missing", ["nodes", "answer"])
def test_data_without_a_part_is_refused(missing: str) -> None:
    data = to_json(make_chain(1))
    del data[missing]
    with pytest.raises(GraphError, match="expected the JSON form of a graph"):
        from_json(data)


def test_data_with_a_field_that_nobody_knows_is_refused() -> None:
    data = to_json(make_chain(1))
    data["nodes"][0]["color"] = "red"
    with pytest.raises(GraphError, match="expected the JSON form of a graph"):
        from_json(data)


def test_a_stored_graph_obeys_the_laws_too() -> None:
    data = to_json(make_chain(1))
    data["answer"] = "nobody"
    with pytest.raises(GraphError, match="'nobody' does not exist"):
        from_json(data)
