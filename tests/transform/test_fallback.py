"""A network behind itself."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from offramp import attach
from offramp.errors import GraphError
from offramp.export import onnx
from offramp.graph import Graph, find_baseline
from offramp.measure.torch import breakdown, parameters, path_costs
from offramp.nn import Executor
from offramp.run import openvino
from offramp.testing import PassContract
from offramp.transform import AddFallback, add_fallback, backbone, gate_by, keep_exits
from passed import make_graph, make_quantized

LAYERS = 4
PLACES: list[str | int] = ["input", 1, 3]
SCORES = ("max_probability", "entropy", "patience")


def make_network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [layer for _ in range(LAYERS) for layer in (nn.Linear(8, 8), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(8, 3))


def make(scores: tuple[str, ...] = SCORES, **more: Any) -> Graph:
    graph = attach.exits(
        make_network(), torch.zeros(2, 8), placement=PLACES, head=["pool"] * len(PLACES), scores=scores, **more
    )
    for body in graph.bodies.values():
        body.eval()  # type: ignore[attr-defined]  # a module
    return graph


GRAPH = make()
BACKED = add_fallback(GRAPH)
WORSE = 0.3  # is added to weights, times the normal distribution
limits = st.lists(st.floats(0.3, 0.6), min_size=len(PLACES) + 1, max_size=len(PLACES) + 1)


def test_exits_are_the_old_ones_the_end_of_the_network_and_the_fallback() -> None:
    assert [exit.name for exit in BACKED.exits] == ["exit0/head", "exit1/head", "exit2/head", "exit3/head", "fallback"]
    assert [exit.cut for exit in BACKED.exits] == [0, 1, 2, 3, None]
    assert find_baseline(BACKED).name == "exit3/head"
    assert find_baseline(GRAPH) == GRAPH.exits[-1]


@settings(deadline=None, max_examples=40)
@given(limits, st.integers(0, 99))
def test_no_answer_changes_for_who_leaves_there_and_for_who_goes_on(thresholds: list[float], seed: int) -> None:
    x = torch.randn(16, 8, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        plain = Executor(GRAPH)({"x": x}, torch.tensor(thresholds[:-1]))
        backed = Executor(BACKED)({"x": x}, torch.tensor(thresholds))
    torch.testing.assert_close(backed.logits, plain.logits)
    assert torch.equal(backed.exit.clamp(max=len(PLACES)), plain.exit)


def test_a_worse_copy_in_front_answers_the_sure_ones_alone() -> None:
    """What the fallback is for: the stages lose something on the way into a file, the fallback does not."""
    worse = copy.deepcopy(GRAPH.bodies["stage3"])
    graph = replace(BACKED, bodies={**BACKED.bodies, "stage3": worse})
    with torch.no_grad():
        for weight in worse.parameters():  # type: ignore[attr-defined]  # a module
            weight.add_(WORSE * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
        x = torch.randn(256, 8, generator=torch.Generator().manual_seed(2))
        right = Executor(GRAPH).dense({"x": x})["stage3"][0]
        middle = Executor(graph).dense({"x": x})["exit3/score"][0].median()
        answer = Executor(graph)({"x": x}, torch.tensor([2.0, 2.0, 2.0, middle]))
    behind = answer.exit == 4
    assert 0 < behind.sum() < 256
    torch.testing.assert_close(answer.logits[behind], right[behind])
    assert not torch.allclose(answer.logits[~behind], right[~behind])


def test_it_has_no_weights_of_its_own() -> None:
    assert parameters(BACKED) == parameters(GRAPH)


def test_the_network_alone_is_the_first_of_the_two() -> None:
    assert [node.name for node in backbone(BACKED).nodes if node.role == "stage"] == ["stage1", "stage2", "stage3"]
    assert "fallback" not in {node.name for node in backbone(BACKED).nodes}
    assert [node.name for node in backbone(BACKED, "fallback").nodes] == ["x", "fallback"]


def test_who_goes_on_pays_for_both() -> None:
    plain, backed = path_costs(GRAPH), path_costs(BACKED)
    assert backed.baseline == plain.baseline
    assert backed.per_exit[:-1].tolist() == plain.per_exit.tolist()
    assert backed.per_exit[-1] == plain.per_exit[-1] + plain.baseline
    parts = breakdown(BACKED)
    assert parts.costs([0, 1, 2, 3]).per_exit.tolist() == backed.per_exit.tolist()
    assert parts.costs([1, 3]).per_exit.tolist() == path_costs(keep_exits(BACKED, [1, 3])).per_exit.tolist()


@pytest.mark.parametrize("kept", [[3], [0, 3], [1, 2, 3]])
def test_dropping_exits_first_or_later_is_the_same(kept: list[int]) -> None:
    later, first = keep_exits(BACKED, kept), add_fallback(keep_exits(GRAPH, kept[:-1]))
    assert [exit.name for exit in later.exits] == [exit.name for exit in first.exits]
    if kept != [3]:  # without any exit nobody says by which scores
        assert [node.name for node in later.nodes] == [node.name for node in first.nodes]
        assert later.exits == first.exits


def test_it_can_stand_behind_a_network_without_exits() -> None:
    alone = add_fallback(attach.exits(make_network(), torch.zeros(2, 8), count=0))
    assert [exit.name for exit in alone.exits] == ["exit0/head", "fallback"]
    assert len(alone.gates) == 1


def test_scores_that_are_fitted_are_left_out_and_never_gate() -> None:
    backed = add_fallback(make(("margin", "calibrated", "energy")))
    assert [(node.recipe or {})["score"] for node in backed.nodes if node.name.startswith("exit3/score")] == [
        "margin", "energy"
    ]  # fmt: skip
    assert [exit.name for exit in gate_by(backed, "energy").exits] == [exit.name for exit in backed.exits]
    with pytest.raises(GraphError, match="needs no fitting, but exit0/score"):
        add_fallback(make(("calibrated", "margin")))


def test_exits_may_use_earlier_heads() -> None:
    x = torch.randn(8, 8)
    graph = make(reuse_logits=True, ensemble_heads=True)
    backed = add_fallback(graph)
    assert [exit.name for exit in backed.exits] == [
        "exit0/head",
        "exit1/ensemble",
        "exit2/ensemble",
        "exit3/head",
        "fallback",
    ]
    with torch.no_grad():
        plain, values = (Executor(one).eval().dense({"x": x}) for one in (graph, backed))
    torch.testing.assert_close(values["fallback"][0], plain["stage3"][0])


@pytest.mark.parametrize("batch", [1, 16])
def test_the_file_answers_as_the_reference_interpreter_does(batch: int, tmp_path: Path) -> None:
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    runtime = openvino.load(onnx.save(BACKED, tmp_path / "model.onnx"))
    with torch.no_grad():
        seen = Executor(BACKED).dense({"x": x})
        thresholds = torch.stack([seen[gate.inputs[0].source][0].quantile(0.8) for gate in BACKED.gates])
        x = x[:batch]
        expected = Executor(BACKED)({"x": x}, thresholds)
    answer = runtime({"x": x.numpy()}, thresholds.numpy())
    assert batch == 1 or {0, 4} < set(expected.exit.tolist())
    assert answer.exit.tolist() == expected.exit.tolist()
    np.testing.assert_allclose(answer.logits, expected.logits.numpy(), rtol=1e-4, atol=1e-5)


def test_what_can_have_none_is_refused() -> None:
    with pytest.raises(GraphError, match="without one yet"):
        add_fallback(BACKED)
    controlled = attach.controllers(
        make_network(), torch.zeros(2, 8), count=1, placement=[1], head="pool", controller="pool", sees="answer"
    )
    with pytest.raises(GraphError, match="other control nodes"):
        add_fallback(controlled)


class TestAddFallback(PassContract):
    def make(self) -> AddFallback:
        return AddFallback()

    def graph(self) -> Graph:
        return make_graph()

    def unsuited(self) -> Graph:
        return add_fallback(make_graph())


def test_behind_bodies_in_8_bits_stands_the_network_in_float() -> None:
    graph = make_graph()
    behind, before = (add_fallback(one).bodies["fallback"] for one in (make_quantized()(graph), graph))
    x = torch.rand(2, 1, 6, 6)
    assert torch.equal(behind(x), before(x))
