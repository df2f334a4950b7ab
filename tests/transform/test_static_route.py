"""One way through a graph as a network of its own."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from examples import some
from graphs import make_chain, random_graphs, with_numpy_bodies
from offramp.attach import d2nn, d2nn_chain, d2nn_hierarchy
from offramp.errors import GraphError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph, find_routes
from offramp.measure._routes import route_macs
from offramp.measure.torch import count_macs
from offramp.nn import Executor
from offramp.run import run_reference
from offramp.transform import static_route


@settings(deadline=None, max_examples=some(60), phases=[Phase.generate])
@given(graph=random_graphs(), seed=st.integers(0, 99))
def test_it_answers_as_the_graph_does_for_a_sample_on_this_route(graph: Graph, seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs = {"x": generator.integers(-8, 9, (1, 3)).astype(np.float32)}
    thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
    expected = run_reference(with_numpy_bodies(graph), inputs, thresholds)
    static = static_route(graph, expected.route[0])
    assert "control" not in {node.kind for node in static.nodes}
    np.testing.assert_array_equal(run_reference(with_numpy_bodies(static), inputs).logits, expected.logits)


def test_its_cost_is_that_of_the_route_without_controllers() -> None:
    graph = d2nn_chain((1, 16, 16), width=0.5)
    macs = count_macs(graph)
    free = {**macs, **{node.name: 0 for node in graph.controls}}
    for route in find_routes(graph):
        wanted = route_macs(graph, free, np.array([route]))[0]
        assert sum(count_macs(static_route(graph, route)).values()) == wanted


def test_it_can_be_exported_with_its_constants() -> None:
    torch.manual_seed(0)
    first = "conv 3x3 20 pad 1 | relu | pool 3/2"
    graph = d2nn_hierarchy((1, 9, 9), tree=(((0, 1),), ((2, 3),)), first=first, width=0.05, fill=-3)
    static = static_route(graph, [0, 1, 0, 2])
    x = np.random.default_rng(0).random((3, 1, 9, 9), dtype=np.float32)
    session = onnxruntime.InferenceSession(
        export_onnx.to_model(static).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logits"], {"x": x})
    with torch.no_grad():
        wanted = Executor(static).eval()({"x": torch.from_numpy(x)}).logits
    np.testing.assert_allclose(logits, wanted, atol=1e-5)
    assert (logits[:, 2:] == -3).all()


def test_the_way_of_an_early_exit_is_its_stages_and_its_head() -> None:
    assert [node.name for node in static_route(make_chain(2), (1, 0)).nodes] == [
        "x",
        "stage0",
        "stage1",
        "exit1/head",
    ]


@pytest.mark.parametrize("route", [[], [2, 2], [0, 0], [0, 2, 0]])
def test_a_route_that_nobody_can_take_is_refused(route: list[int]) -> None:
    with pytest.raises(GraphError, match="must be one that a sample can take"):
        static_route(make_chain(2), route)


def test_a_route_without_an_answer_is_refused() -> None:
    table = "q: x -> a, dummy\np: x -> b, dummy\na: x | fc 3\nb: x | fc 3\nout: a or b"
    with pytest.raises(GraphError, match="'out' is null on route"):
        static_route(d2nn(table, (4,)), [1, 1])
