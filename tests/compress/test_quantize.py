from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import nn

from early_exits import make_graph, make_samples
from offramp.compress import Quantized, _quantize, quantize
from offramp.compress._noise import Layer
from offramp.errors import GraphError, OptionError
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure.torch import count_macs, size_bytes
from offramp.run import Samples
from offramp.testing import PassContract
from quantized import make_small


def test_stages_and_heads_are_quantized_and_scores_are_not() -> None:
    assert set(make_small().quantized.bodies) == {"stage0", "stage1", "stage2", "exit0/head", "exit1/head"}


def test_a_quantized_body_has_the_inputs_and_outputs_that_it_had() -> None:
    small = make_small()
    for name, body in small.quantized.bodies.items():
        for port in ("input", "output"):
            names = [[value.name for value in getattr(one.graph, port)] for one in (body, small.traced[name])]
            assert names[0] == names[1]


def test_nothing_to_quantize_changes_nothing() -> None:
    small = make_small()
    found = quantize(small.graph, small.traced, small.samples, only=[])
    written = [onnx.to_model(one) for one in (found(small.graph), small.graph)]
    assert written[0].SerializeToString(deterministic=True) == written[1].SerializeToString(deterministic=True)


class TestQuantized(PassContract):
    tolerance = 2 / 255  # a step of 8 bits in the last layer, and the steps that come of it

    def make(self) -> Quantized:
        return make_small().quantized

    def nothing(self) -> Quantized:
        return Quantized(bodies={})

    def graph(self) -> Graph:
        return make_small().graph

    def unsuited(self) -> Graph:
        return make_small().quantized(make_small().graph)


@pytest.mark.parametrize("dense", [False, True])
def test_the_file_of_a_quantized_graph_holds_the_very_bodies(dense: bool) -> None:
    """Node for node what was written when bodies in 8 bits were put in place during export."""
    small = make_small()
    written = onnx.to_model(small.quantized(small.graph), dense=dense)
    wanted = onnx.to_model(
        small.graph, dense=dense, stage_pass=lambda node, body: small.quantized.bodies.get(node.name, body)
    )
    assert written.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)


def test_work_is_counted_as_in_float_and_weights_by_the_byte() -> None:
    small = make_small()
    whole = small.quantized(small.graph)
    assert count_macs(whole) == count_macs(small.graph)
    assert size_bytes(whole) < 0.4 * size_bytes(small.graph)


def test_a_body_that_reads_something_else_than_it_did_is_refused() -> None:
    small = make_small()
    node = small.graph["stage1"]
    twice = replace(node, inputs=node.inputs * 2)
    graph = replace(small.graph, nodes=tuple(twice if one is node else one for one in small.graph.nodes))
    with pytest.raises(GraphError, match="'stage1' must read 1 tensors"):
        small.quantized(graph)


def test_a_body_in_8_bits_is_not_quantized_again() -> None:
    small = make_small()
    found = quantize(small.quantized(small.graph), small.traced, small.samples)
    assert found == Quantized(bodies={})


def test_the_same_samples_and_seed_give_the_same_file() -> None:
    small = make_small()
    told: dict[str, Any] = {"judge": small.held.subset(slice(64)), "only": ["exit1/head"], "seed": 3, "max_change": 1}
    twice = [quantize(small.graph, small.traced, small.samples.subset(slice(40)), **told) for _ in range(2)]
    written = [one.bodies["exit1/head"].SerializeToString(deterministic=True) for one in twice]
    assert written[0] == written[1]


def test_every_body_is_told_with_what_its_answers_suffer() -> None:
    told = make_small().quantized.sensitivity
    assert [one.name for one in told] == ["stage0", "exit0/head", "stage1", "exit1/head", "stage2"]
    assert all(0.9 < one.agreement <= 1 and one.kept == "int8" for one in told)


@pytest.mark.parametrize(
    ("answers", "kept", "budgets"),
    [
        ([0.999], "int8", []),
        ([0.97, 0.97], "part", [_quantize.LITTLE]),
        ([0.5, 0.9, 0.97], "part", [_quantize.LITTLE, _quantize.MUCH]),
        ([0.5, 0.9, 0.9], "float", [_quantize.LITTLE, _quantize.MUCH]),
    ],
)
def test_a_body_that_suffers_stays_in_float_all_or_in_part(
    answers: list[float], kept: str, budgets: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the final exit gives so many of its answers with the body in 8 bits, then with some layers in float."""
    graph = make_graph()
    final = len(graph.exits) - 1
    traced = onnx.trace(graph, [node for node in graph.nodes if node.name == "stage1"])
    left, asked = [*answers, 1.0], []

    def told(graph: Graph, judged: Samples, variants: dict[str, Any]) -> dict[str, Any]:
        share = left.pop(0)
        return {label: np.full(final + 1, share) for label in variants}

    def spare(layers: list[Layer], budget: float) -> tuple[str, ...]:
        asked.append(budget)
        return tuple(layer.name for layer in layers)[: len(asked)]

    monkeypatch.setattr(_quantize, "agreements", told)
    monkeypatch.setattr(_quantize, "spare", spare)
    found = quantize(graph, traced, make_samples(), max_change=0.04)
    (one,) = found.sensitivity
    assert (one.kept, asked) == (kept, budgets)
    assert one.agreement == answers[-1]
    assert len(one.in_float) == (len(budgets) if kept == "part" else 0)
    assert (one.noise > 0) is (kept == "part")
    assert ("stage1" in found.bodies) is (kept != "float")


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_an_accepted_change_that_is_no_share_is_refused(share: float) -> None:
    small = make_small()
    with pytest.raises(OptionError, match="max_change must be a share"):
        quantize(small.graph, small.traced, small.samples, max_change=share)


def test_a_body_without_layers_cannot_be_named() -> None:
    small = make_small()
    with pytest.raises(OptionError, match="exit0/score"):
        quantize(small.graph, small.traced, small.samples, only=["exit0/score", "stage0"])


def test_a_body_that_became_narrower_is_not_replaced_by_the_one_that_was_quantized() -> None:
    """Else the pass would bring the old body back without a word."""
    small = make_small()
    name = next(iter(small.quantized.bodies))
    with pytest.raises(GraphError, match="weights as it had when it was quantized"):
        small.quantized(small.graph.with_bodies({name: nn.Linear(1, 1)}))
