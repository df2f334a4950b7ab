"""Tests of costs: known networks, known numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from networks import CifarResNet
from offramp import attach
from offramp.errors import GraphError
from offramp.measure.torch import breakdown, count, count_macs, parameters, path_costs, size_bytes
from offramp.nn import Normalize
from offramp.transform import keep_exits

PICTURE = torch.zeros(1, 3, 32, 32)


def test_resnet_56_costs_what_its_paper_says() -> None:
    assert count(CifarResNet(9), PICTURE) == pytest.approx(125.5e6, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "macs"), [("resnet18", 1.81e9), pytest.param("vit_b_16", 17.56e9, marks=pytest.mark.slow)]
)
def test_public_networks_cost_what_is_published(name: str, macs: float, vision: Any) -> None:
    model = vision.models.get_model(name)
    assert count(model, torch.zeros(1, 3, 224, 224)) == pytest.approx(macs, rel=3e-3)


def test_attention_is_counted_and_its_fast_path_comes_back() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True).train()
    tokens = torch.zeros(1, 5, 8)
    projections, products = 4 * 5 * 8 * 8, 2 * 5 * 5 * 8
    before = torch.backends.mha.get_fastpath_enabled()
    assert count(layer, tokens, tokens, tokens) == projections + products
    assert torch.backends.mha.get_fastpath_enabled() == before
    assert layer.training


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_are_counted_step_by_step(kind: type[nn.Module], gates: int) -> None:
    assert count(kind(8, 16, batch_first=True), torch.zeros(1, 5, 8)) == 5 * gates * 16 * (8 + 16)


def test_the_cost_of_an_exit_is_all_that_ran_before_it() -> None:
    graph = attach.exits(CifarResNet(1), PICTURE, count=2, normalize=Normalize([0.5] * 3, [0.5] * 3))
    macs = count_macs(graph)
    costs = path_costs(graph)
    first = macs["stage0"] + macs["exit0/head"]
    second = first + macs["stage1"] + macs["exit1/head"]
    np.testing.assert_array_equal(costs.per_exit, [first, second, second + macs["stage2"]])
    assert costs.baseline == sum(macs[f"stage{at}"] for at in range(3)) == count(CifarResNet(1), PICTURE)
    assert macs.keys() == graph.by_name.keys()
    assert macs["exit0/gate"] == macs["x"] == macs["answer"] == 0


def test_a_score_that_no_gate_reads_is_not_charged_and_an_unfitted_one_is_counted() -> None:
    spare = attach.exits(CifarResNet(1), PICTURE, count=1, scores=("max_probability", "confidence"))
    alone = attach.exits(CifarResNet(1), PICTURE, count=1, scores=("max_probability",))
    read = attach.exits(CifarResNet(1), PICTURE, count=1, scores=("confidence",))
    assert count_macs(spare)["exit0/score/confidence"] > 0
    np.testing.assert_array_equal(path_costs(spare).per_exit, path_costs(alone).per_exit)
    assert (path_costs(read).per_exit > path_costs(alone).per_exit).all()


@pytest.mark.parametrize("kept", [[], [0], [1], [2], [0, 2], [1, 2], [0, 1, 2]])
def test_a_breakdown_prices_every_choice_of_exits_as_their_graph_is_priced(kept: list[int]) -> None:
    graph = attach.exits(
        CifarResNet(1), PICTURE, placement=["input", "input", 3], head=["pool", "light:width=8,blocks=1", "pool"],
        scores=("confidence",), normalize=Normalize([0.5] * 3, [0.5] * 3),
    )  # fmt: skip
    found, wanted = breakdown(graph).costs(kept), path_costs(keep_exits(graph, kept))
    np.testing.assert_array_equal(found.per_exit, wanted.per_exit)
    assert found.baseline == wanted.baseline


def test_each_border_costs_its_share_of_the_network() -> None:
    graph = attach.exits(CifarResNet(1), PICTURE, count=2)
    parts = breakdown(graph, gate_overhead=0.02)
    np.testing.assert_allclose(parts.gate_overheads, 0.02 * parts.baseline)


def test_parameters_and_bytes_add_up() -> None:
    net = CifarResNet(1)
    graph = attach.exits(net, PICTURE, count=0)
    assert parameters(graph) == sum(weight.numel() for weight in net.parameters())
    saved = [tensor for name, tensor in net.state_dict().items() if "num_batches" not in name]
    assert size_bytes(graph) >= sum(tensor.numel() * tensor.element_size() for tensor in saved)


def test_a_graph_without_bodies_cannot_be_counted() -> None:
    graph = attach.exits(CifarResNet(1), PICTURE, count=0)
    with pytest.raises(GraphError, match="'stage0' has None"):
        count_macs(type(graph)(nodes=graph.nodes, answer=graph.answer))


def test_exits_that_are_alternatives_have_no_path_costs() -> None:
    from d2nns import make_high_low

    with pytest.raises(GraphError, match=r"measure\.route_macs"):
        path_costs(make_high_low())
