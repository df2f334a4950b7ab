from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from offramp import attach
from offramp.compress._agreement import OnnxBody
from offramp.compress._nncf import quantize_model
from offramp.compress._noise import Layer, rank_layers, restore, spare
from offramp.export import onnx as export_onnx
from quantized import make_small


def pictures(count: int = 32) -> tuple[torch.Tensor]:
    return (torch.from_numpy(make_small().held.take(slice(count))["x"]),)


def products(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]


def quantizers(model: onnx.ModelProto) -> int:
    return sum(node.op_type == "QuantizeLinear" for node in model.graph.node)


@pytest.mark.parametrize("name", ["stage0", "stage1"])
def test_all_layers_in_float_give_what_the_float_body_gives(name: str) -> None:
    small = make_small()
    body, traced = small.quantized.bodies[name], small.traced[name]
    given = (torch.rand(3, *(1, 28, 28) if name == "stage0" else (8, 14, 14)),)
    restored = restore(body, traced, products(traced))
    assert quantizers(restored) == 0 < quantizers(body)
    (found,), (wanted,) = OnnxBody(restored)(*given), OnnxBody(traced)(*given)
    assert torch.equal(found, wanted)


def test_no_layer_in_float_changes_nothing() -> None:
    small = make_small()
    body = small.quantized.bodies["exit0/head"]
    restored = restore(body, small.traced["exit0/head"], [])
    assert [node.name for node in restored.graph.node] == [node.name for node in body.graph.node]
    assert {one.name for one in restored.graph.initializer} <= {one.name for one in body.graph.initializer}


def test_a_restored_body_is_another_one() -> None:
    small = make_small()
    body = small.quantized.bodies["exit0/head"]
    before = body.SerializeToString(deterministic=True)
    restore(body, small.traced["exit0/head"], products(body)[:1])
    assert body.SerializeToString(deterministic=True) == before


def test_layers_are_ranked_by_what_they_spoil_for_what_they_cost() -> None:
    small = make_small()
    layers = rank_layers(small.traced["stage0"], small.quantized.bodies["stage0"], [pictures(), pictures()])
    assert [layer.name for layer in layers] == products(small.traced["stage0"])  # it has one
    (only,) = layers
    assert only.cost == 8 * 14 * 14 * 9
    assert only.noise == pytest.approx(1, abs=1e-6)
    head = small.quantized.bodies["exit0/head"]
    given = [(torch.rand(16, 8, 14, 14),)]
    ranked = rank_layers(small.traced["exit0/head"], head, given)
    worth = [layer.noise / layer.cost for layer in ranked]
    assert len(ranked) == 2
    assert worth == sorted(worth, reverse=True)
    assert 0.5 < max(layer.noise for layer in ranked) <= 1


def test_layers_are_spared_within_the_budget() -> None:
    layers = [
        Layer(name="cheap", noise=0.3, cost=2),
        Layer(name="dear", noise=0.5, cost=50),
        Layer(name="innocent", noise=0.001, cost=1),
        Layer(name="last", noise=0.1, cost=47),
    ]
    assert spare(layers, 0.02) == ("cheap",)
    assert spare(layers, 0.5) == ("cheap", "last")  # the dear one would cost too much with the cheap one
    assert spare(layers, 1.0) == ("cheap", "dear", "last")
    assert spare(layers, 0.0) == ()
    assert spare([], 1.0) == ()


def test_a_body_that_is_not_changed_has_no_noise() -> None:
    small = make_small()
    traced = small.traced["stage0"]
    assert rank_layers(traced, traced, [pictures()]) == []
    assert np.isfinite(rank_layers(traced, small.quantized.bodies["stage0"], [pictures()])[0].noise)


def test_layers_whose_inputs_were_scaled_are_restored_with_what_they_read_before() -> None:
    """Of transformers NNCF moves factors from what a layer reads into its weights."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.LayerNorm(16), torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 4))
    graph = attach.exits(net.eval(), torch.zeros(2, 16), count=0)
    (traced,) = export_onnx.trace(graph, [graph["stage0"]]).values()
    given = (torch.randn(64, 16) * torch.linspace(1, 50, 16),)
    whole = quantize_model(traced, [{"i0": row[None].numpy()} for row in given[0]])
    (found,), (wanted,) = OnnxBody(restore(whole, traced, products(traced)))(*given), OnnxBody(traced)(*given)
    assert torch.equal(found, wanted)
    assert all(-0.5 < layer.noise <= 1 for layer in rank_layers(traced, whole, [given]))
