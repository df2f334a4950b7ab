"""A trained network whose exits have controllers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from d2nn_checks import Engines, check_engines, make_lively, settle
from networks import CifarResNet, recurrent
from offramp import attach
from offramp.errors import CaptureError, OptionError
from offramp.graph import Graph, find_routes
from offramp.measure._routes import route_macs
from offramp.measure.torch import count_macs, path_costs
from offramp.nn import Normalize
from offramp.transform import keep_exits

SEES = ["answer", "features"]
SHAPE = (1, 12, 12)
EXAMPLE = torch.zeros(2, *SHAPE)


def make_network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(inplace=True), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(384, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


@cache
def make(sees: str) -> Graph:
    graph = attach.controllers(make_network(), EXAMPLE, placement=["1", "3"], head="pool", sees=sees)
    return make_lively(graph, SHAPE)


@cache
def engines(sees: str) -> Engines:
    return Engines(make(sees))


@pytest.mark.parametrize("rows", [0, 1, 3, 64])
@pytest.mark.parametrize("sees", SEES)
def test_every_engine_answers_like_the_reference(sees: str, rows: int) -> None:
    check_engines(engines(sees), settle(make(sees), SHAPE, rows, seed=rows))


@pytest.mark.parametrize("sees", SEES)
def test_who_never_stops_gets_the_models_answer(sees: str) -> None:
    network = make_network()
    x = torch.rand(5, *SHAPE)
    graph = attach.controllers(network, EXAMPLE, placement=["1", "3"], sees=sees)
    values = graph.bodies["stage0"](x)  # type: ignore[operator]  # a module
    for name in ("stage1", "stage2"):
        values = graph.bodies[name](*values)
    with torch.no_grad():
        torch.testing.assert_close(values, network(x))


def test_a_controller_that_sees_features_alone_opens_the_head_itself() -> None:
    graph = make("features")
    assert [node.edges for node in graph.controls] == [("exit0/head", "stage1"), ("exit1/head", "stage2")]
    assert not [node for node in graph.nodes if node.kind == "dummy"]
    macs = count_macs(graph)
    costs = route_macs(graph, macs, np.array(list(find_routes(graph))))
    first = macs["stage0"] + macs["exit0/gate"]
    second = first + macs["stage1"] + macs["exit1/gate"]
    wanted = [first + macs["exit0/head"], second + macs["exit1/head"], second + macs["stage2"]]
    assert costs.tolist() == wanted == path_costs(graph, macs).per_exit.tolist()


def test_a_controller_that_sees_the_answer_reads_features_and_logits() -> None:
    graph = make("answer")
    assert [node.edges for node in graph.controls] == [("exit0/stop", "stage1"), ("exit1/stop", "stage2")]
    assert [edge.source for edge in graph["exit1/gate"].inputs] == ["stage1", "exit1/head"]
    macs = count_macs(graph)
    costs = route_macs(graph, macs, np.array(list(find_routes(graph))))
    assert costs[-1] == sum(macs.values())
    np.testing.assert_array_equal(costs, path_costs(graph, macs).per_exit)


@pytest.mark.parametrize("sees", SEES)
def test_exits_can_be_dropped(sees: str) -> None:
    graph = attach.controllers(CifarResNet(1), torch.zeros(2, 3, 32, 32), count=3, head="pool", sees=sees)
    fewer = keep_exits(graph, [1])
    assert fewer.exits == ("exit1/head", "stage3")
    assert len(list(find_routes(fewer))) == 2


def test_networks_for_token_numbers_have_controllers_too() -> None:
    graph = attach.controllers(*recurrent(), count=1, placement="input", head="auto", controller="auto")
    assert graph.exits == ("exit0/head", "stage1")


def test_pixels_are_normalized_first() -> None:
    graph = attach.controllers(make_network(), EXAMPLE, count=1, normalize=Normalize([0.5], [0.5]))
    assert graph["stage0"].inputs[0].source == "normalize"


def test_each_exit_can_have_a_controller_of_its_own() -> None:
    graph = attach.controllers(
        make_network(), EXAMPLE, placement=["1", "3"], controller=["layers:pool 2 | relu", "pool"]
    )
    assert [(node.recipe or {})["kind"] for node in graph.controls] == ["layers", "pool"]
    with pytest.raises(OptionError, match="3 heads for 2 exits"):
        attach.controllers(make_network(), EXAMPLE, placement=["1", "3"], controller=["pool"] * 3)


def test_what_a_controller_cannot_see_is_refused() -> None:
    with pytest.raises(OptionError, match="sees 'answer' or 'features', but sees is 'all'"):
        attach.controllers(make_network(), EXAMPLE, count=1, sees="all")  # type: ignore[arg-type]  # on purpose


def test_a_place_has_one_controller() -> None:
    with pytest.raises(CaptureError, match="names one twice"):
        attach.controllers(make_network(), EXAMPLE, placement=["1", "1"], head=["pool", "pool"])
