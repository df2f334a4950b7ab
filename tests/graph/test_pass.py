from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from graphs import make_chain
from offramp.errors import GraphError
from offramp.graph import Graph, History, Pass


@dataclass(frozen=True, kw_only=True)
class Rename(Pass):
    """Gives the head another role."""

    name: ClassVar[str] = "rename"
    role: str

    def requires(self, graph: Graph) -> None:
        if not graph.gates:
            raise GraphError("there must be a gate, but there is none. Give another graph.")

    def apply(self, graph: Graph) -> Graph:
        nodes = tuple(replace(node, role=self.role) if node.role == "head" else node for node in graph.nodes)
        return graph if nodes == graph.nodes else replace(graph, nodes=nodes)


def known() -> Graph:
    graph = make_chain(1)
    return replace(graph, history=History(steps=(Rename(role="head"),), nodes=graph.nodes))


def test_steps_add_up() -> None:
    graph = Rename(role="b")(Rename(role="head")(known()))
    assert graph.steps == (Rename(role="head"), Rename(role="b"))


def test_what_changes_nothing_is_no_step() -> None:
    graph = known()
    assert Rename(role="head")(graph) is graph


def test_after_a_graph_that_nobody_knows_nothing_is_known() -> None:
    assert Rename(role="b")(make_chain(1)).steps == ()


def test_requirements_are_asked_before() -> None:
    with pytest.raises(GraphError, match="there must be a gate"):
        Rename(role="b")(make_chain(0))
