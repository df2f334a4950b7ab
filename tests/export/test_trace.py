"""Which graphs have the lighter trace; what their files answer is compared with the reference in test_onnx."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import STOP_HIGH, STOP_LOW, make_chain, with_numpy_bodies
from offramp import attach
from offramp.export import onnx as export_onnx
from offramp.export._trace import MatrixTrace, OnlyTrace, PassedTrace, trace_of
from offramp.graph import Gate, Graph, plan
from offramp.run import run_reference
from offramp.transform import static_path

NETWORK = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8), torch.nn.Linear(8, 3))
EXAMPLE = torch.zeros(2, 4)


def trace(graph: Graph) -> type:
    return type(trace_of(graph, plan(graph)))


@pytest.mark.parametrize("exits", [1, 2, 5])
def test_gates_one_behind_the_other_have_the_lighter_one(exits: int) -> None:
    assert trace(make_chain(exits)) is PassedTrace


@pytest.mark.parametrize(
    "options", [{"placement": [0, 1], "head": ["pool"] * 2}, {"placement": ["input", "input"], "head": ["pool"] * 2}]
)
def test_so_have_exits_attached_to_a_network(options: dict) -> None:
    assert trace(attach.exits(NETWORK, EXAMPLE, **options)) is PassedTrace


@pytest.mark.parametrize(
    "make",
    [
        lambda: attach.exits(NETWORK, EXAMPLE, count=0),
        lambda: make_chain(0),
        lambda: static_path(make_chain(2), "stage2"),
        lambda: attach.d2nn("h: x | fc 8 | fc 8\nanswer: h | fc 3", (4,)),
    ],
)
def test_without_control_nodes_there_is_nothing_to_tell(make: Callable[[], Graph]) -> None:
    assert trace(make()) is OnlyTrace


def test_the_file_of_a_network_without_control_nodes_is_the_network_and_constants() -> None:
    graph = attach.exits(NETWORK, EXAMPLE, count=0)
    bodies = export_onnx.trace(graph, [node for node in graph.nodes if node.kind == "function"])
    model = export_onnx.to_model(graph)
    inside = tuple(f"{name}/" for name in bodies)
    around = [node.op_type for node in model.graph.node if not node.name.startswith(inside)]
    assert sorted(around) == ["Concat", "ConstantOfShape", "ConstantOfShape", "ConstantOfShape", "Shape"]
    assert len(model.graph.node) == len(around) + sum(len(body.graph.node) for body in bodies.values())


def test_controllers_have_the_matrix() -> None:
    assert trace(attach.controllers(NETWORK, EXAMPLE, placement=["0"], head="pool")) is MatrixTrace


def test_a_select_that_prefers_early_exits_has_the_matrix() -> None:
    chain = make_chain(2)
    answer = replace(chain[chain.answer], inputs=chain[chain.answer].inputs[::-1])
    other = Graph(nodes=(*chain.nodes[:-1], answer), answer=chain.answer, bodies=chain.bodies)
    assert trace(other) is MatrixTrace


@settings(deadline=None, max_examples=60)
@given(exits=st.integers(1, 5), gate=st.sampled_from([STOP_HIGH, STOP_LOW]), seed=st.integers(0, 99))
def test_where_it_is_lighter_the_exit_is_the_number_of_gates_passed(exits: int, gate: Gate, seed: int) -> None:
    graph = make_chain(exits, gate, seed)
    assert trace(graph) is PassedTrace
    random = np.random.default_rng(seed)
    x = random.integers(-8, 9, (16, 3)).astype(np.float32)
    answer = run_reference(with_numpy_bodies(graph), {"x": x}, random.normal(size=exits))
    assert answer.exit.tolist() == (answer.route == 1).sum(axis=1).tolist()
