"""The published D2NNs: layers and costs as in the paper, and the same answers in every engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from d2nn_checks import TOLERANCE, Engines, check_engines, make_lively, settle
from examples import some
from graphs import with_numpy_bodies
from offramp.attach import d2nn_cascade, d2nn_chain, d2nn_hierarchy, d2nn_high_low
from offramp.errors import OptionError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph, find_routes
from offramp.measure._routes import route_macs
from offramp.measure.torch import count_macs
from offramp.nn import Executor
from offramp.run import run_reference

SHAPE = (2, 16, 16)
FIRST = "conv 3x3 60 pad 1 | relu | pool 3/2"
WIDTH = 0.06
TREE = (((0, 3), (1, 2)), ((4, 5),))
SMALL: dict[str, Callable[[], Graph]] = {
    "high_low": lambda: d2nn_high_low(SHAPE, width=0.5),
    "cascade": lambda: d2nn_cascade(SHAPE, width=0.5),
    "chain": lambda: d2nn_chain(SHAPE),
    "hierarchy": lambda: d2nn_hierarchy(SHAPE, tree=TREE, first=FIRST, width=WIDTH),
}
ROUTES = {"high_low": 2, "cascade": 4, "chain": 8, "hierarchy": 15}


@cache
def make(name: str, seed: int = 1) -> Graph:
    torch.manual_seed(seed)
    return make_lively(SMALL[name](), SHAPE, seed=seed)


@cache
def engines(name: str) -> Engines:
    return Engines(make(name))


@pytest.mark.parametrize("rows", [0, 1, 3, 64])
@pytest.mark.parametrize("name", list(SMALL))
def test_every_engine_answers_like_the_reference(name: str, rows: int) -> None:
    answer = check_engines(engines(name), settle(make(name), SHAPE, rows, seed=rows))
    taken = {tuple(row) for row in answer.route.tolist()}
    assert taken <= set(find_routes(make(name)))
    assert len(taken) > 1 or rows < 64


@settings(deadline=None, max_examples=some(20), phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(list(SMALL)), seed=st.integers(0, 4), batch=st.integers(0, 99), rows=st.integers(0, 9))
def test_torch_takes_every_pattern_of_routes_as_the_reference_does(name: str, seed: int, batch: int, rows: int) -> None:
    graph = make(name, seed)
    inputs = settle(graph, SHAPE, rows, seed=batch)
    expected = run_reference(with_numpy_bodies(graph), inputs)
    with torch.no_grad():
        got = Executor(graph)({"x": torch.from_numpy(inputs["x"])})
    np.testing.assert_array_equal(got.route, expected.route)
    np.testing.assert_array_equal(got.exit, expected.exit)
    np.testing.assert_allclose(got.logits, expected.logits, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("name", list(SMALL))
def test_a_file_runs_what_the_route_says_and_nothing_else(name: str, tmp_path: Path) -> None:
    graph = make(name)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    model = export_onnx.to_model(graph, traces=engines(name).traces).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (route,) = session.run(["route"], settle(graph, SHAPE, 1, seed=0))
    events = [event["name"] for event in json.loads(Path(session.end_profiling()).read_text())]
    macs = count_macs(graph)
    ran = {name for name in macs if macs[name] and any(event.startswith(f"{name}/") for event in events)}
    wanted = {name for name in macs if macs[name] and route_macs(graph, {**dict.fromkeys(macs, 0), name: 1}, route)[0]}
    assert ran == wanted < {name for name in macs if macs[name]}


@pytest.mark.parametrize("name", list(SMALL))
def test_there_are_as_many_ways_as_decisions_allow(name: str) -> None:
    routes = list(find_routes(make(name)))
    assert len(routes) == len(set(routes)) == ROUTES[name]


@pytest.mark.parametrize(
    ("build", "cheapest", "dearest"),
    [
        (d2nn_high_low, 124_416 + 30_208 + 9_280, 124_416 + 30_208 + 461_824),
        (d2nn_cascade, 31_104 + 576 + 36_288 + 144 + 16, 31_104 + 576 + 36_288 + 144 + 82_944 + 288 + 448_960),
        (
            d2nn_chain,
            45_000 + 39_296 + 20_000 + 30_080 + 73_728 + 25_472 + 110_592 + 2_560,
            45_000 + 39_296 + 180_000 + 30_080 + 1_990_656 + 25_472 + 1_253_376 + 2_560,
        ),
        (
            lambda: d2nn_hierarchy((3, 32, 32), first="conv 5x5 64 pad 2 | relu | pool 3/2"),
            4_915_200 + 2 * 8_947_712,
            4_915_200 + 2 * (8_947_712 + 39_321_600) + 5 * (11_700_224 + 38_473_728),
        ),
    ],
    ids=["high_low", "cascade", "chain", "hierarchy"],
)
def test_the_published_layers_cost_what_they_must(build: Callable[[], Graph], cheapest: int, dearest: int) -> None:
    graph = build()
    costs = route_macs(graph, count_macs(graph), np.array(list(find_routes(graph))))
    assert (costs.min(), costs.max()) == (cheapest, dearest)


def test_the_first_layer_of_imagenets_hierarchy_is_alexnets() -> None:
    graph = d2nn_hierarchy(width=0.02)
    assert graph["n1"].outputs[0].shape[1:] == (27, 27)


def test_the_number_of_classes_and_the_width_are_free() -> None:
    graph = d2nn_chain((3, 32, 32), classes=7, width=2)
    assert graph["n10"].outputs[0].shape == (7,)
    assert graph["n3"].outputs[0].shape == graph["n2"].outputs[0].shape == (32, 8, 8)
    assert d2nn_high_low(classes=5, width=0.1)["n3"].outputs[0].shape == (5,)


@pytest.mark.parametrize("fill", [0, -20])
def test_classes_below_a_branch_that_did_not_run_get_the_fill(fill: float) -> None:
    torch.manual_seed(0)
    graph = d2nn_hierarchy(SHAPE, tree=TREE, first=FIRST, width=WIDTH, fill=fill)
    x = {"x": torch.rand(1, *SHAPE)}
    executor = Executor(graph).eval()
    forced = {"q1": 1, "q2": 0, "q3": 0, "q4": 0, "q5": 0}
    with torch.no_grad():
        outcome = executor(x, forced={name: torch.full((1,), edge) for name, edge in forced.items()})
        leaf = executor.dense(x)["n6"][0]
    assert outcome.route.tolist() == [[1, 0, 2, 2, 0]]
    assert outcome.logits[0, :4].tolist() == [fill] * 4
    torch.testing.assert_close(outcome.logits[:, 4:], leaf)


def test_logits_of_a_hierarchy_come_in_the_order_of_the_classes() -> None:
    torch.manual_seed(0)
    graph = d2nn_hierarchy(SHAPE, tree=TREE, first=FIRST, width=WIDTH)
    with torch.no_grad():
        values = Executor(graph).eval().dense({"x": torch.rand(1, *SHAPE)})
    first, second, third = (values[name][0][0] for name in ("n4", "n5", "n6"))
    wanted = torch.stack([first[0], second[0], second[1], first[1], third[0], third[1]])
    torch.testing.assert_close(values["answer"][0][0], wanted)


@pytest.mark.parametrize("options", [{"width": 0}, {"width": -1}, {"classes": 1}])
def test_impossible_sizes_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="classes must be at least 2 and width positive"):
        d2nn_cascade(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("tree", [(), ((),), (((0, 1), ()),), (((0, 2),),), (((0, 1), (1, 2)),)])
def test_a_tree_that_leaves_out_or_repeats_a_class_is_refused(tree: tuple[tuple[tuple[int, ...], ...], ...]) -> None:
    with pytest.raises(OptionError, match=r"must hold the classes 0, 1, \.\.\., each once"):
        d2nn_hierarchy(SHAPE, tree=tree)


def test_a_picture_that_is_too_small_is_refused() -> None:
    with pytest.raises(OptionError, match="does not fit features"):
        d2nn_hierarchy((3, 4, 4))
