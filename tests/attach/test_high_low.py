"""Two trained networks with a controller in front of them, or between them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from d2nn_checks import Engines, check_engines, make_lively, settle
from networks import recurrent
from offramp.attach import high_low
from offramp.errors import OptionError
from offramp.graph import Graph, find_routes
from offramp.measure._routes import route_macs
from offramp.measure.torch import count, count_macs, path_costs
from offramp.nn import Executor, Normalize

SEES = ["answer", "features"]
SHAPE = (2, 6, 6)
EXAMPLE = torch.zeros(2, *SHAPE)


def make_networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    small = nn.Sequential(nn.Flatten(), nn.Linear(72, 3))
    large = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    return small.eval(), large.eval()


@cache
def make(sees: str) -> Graph:
    return make_lively(high_low(*make_networks(), EXAMPLE, sees=sees), SHAPE)  # type: ignore[arg-type]


@cache
def engines(sees: str) -> Engines:
    return Engines(make(sees))


@pytest.mark.parametrize("rows", [0, 1, 3, 64])
@pytest.mark.parametrize("sees", SEES)
def test_every_engine_answers_like_the_reference(sees: str, rows: int) -> None:
    check_engines(engines(sees), settle(make(sees), SHAPE, rows, seed=rows))


@pytest.mark.parametrize("sees", SEES)
def test_each_sample_gets_the_answer_of_the_network_that_was_chosen(sees: str) -> None:
    x = torch.rand(32, *SHAPE, generator=torch.Generator().manual_seed(0))  # as the controllers know them
    with torch.no_grad():
        answer = Executor(make(sees))({"x": x})
        wanted = torch.stack([network(x.clone()) for network in make_networks()])
    assert 0 < answer.exit.sum() < 32
    torch.testing.assert_close(answer.logits, wanted[answer.exit, torch.arange(32)])


def test_the_small_network_is_paid_for_where_its_answer_is_seen() -> None:
    small, large = (count(network, EXAMPLE[:1]) for network in make_networks())
    for sees, wanted in (("features", [small, large]), ("answer", [small, small + large])):
        graph = make(sees)
        macs = count_macs(graph)
        costs = route_macs(graph, macs, np.array(list(find_routes(graph)))) - macs["choice"]
        assert costs.tolist() == wanted
        assert path_costs(graph, macs).baseline == large


def test_the_networks_stay_as_they_are() -> None:
    small, large = make_networks()
    before = [weight.clone() for weight in large.parameters()]
    graph = high_low(small, large, EXAMPLE)
    for weight in graph.bodies["large"].parameters():  # type: ignore[attr-defined]  # a module
        weight.data.zero_()
    assert all(torch.equal(one, other) for one, other in zip(before, large.parameters(), strict=True))


def test_pixels_are_normalized_in_front_of_all() -> None:
    graph = high_low(*make_networks(), EXAMPLE, normalize=Normalize([0.5] * 2, [0.5] * 2))
    assert {graph[name].inputs[0].source for name in ("choice", "small", "large")} == {"normalize"}


def test_networks_may_take_several_inputs_by_keyword() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logits": self.linear(left + 2 * right)}

    example = {"right": torch.zeros(2, 4), "left": torch.zeros(2, 4)}
    torch.manual_seed(0)
    small, large = Both(), Both()
    graph = high_low(small, large, example, controller="auto")
    x = {"right": torch.randn(9, 4), "left": torch.randn(9, 4)}
    with torch.no_grad():
        answer = Executor(graph)(x)
        wanted = torch.stack([network(**x)["logits"] for network in (small, large)])
    torch.testing.assert_close(answer.logits, wanted[answer.exit, torch.arange(9)])


def test_networks_for_token_numbers_have_a_controller_too() -> None:
    graph = high_low(recurrent()[0], *recurrent(), controller="auto")
    assert graph.exits == ("small", "large")


def test_networks_for_other_classes_are_refused() -> None:
    small = nn.Sequential(nn.Flatten(), nn.Linear(72, 5))
    with pytest.raises(OptionError, match="the same classes, but know 5 and 3"):
        high_low(small, make_networks()[1], EXAMPLE)


def test_what_a_controller_cannot_see_is_refused() -> None:
    with pytest.raises(OptionError, match="sees 'answer' or 'features', but sees is 'input'"):
        high_low(*make_networks(), EXAMPLE, sees="input")  # type: ignore[arg-type]  # on purpose


def test_a_controller_with_another_number_of_values_is_refused() -> None:
    with pytest.raises(OptionError, match=r"module of 'choice' must give a tensor \[2, 2\], but gave \[2, 3\]"):
        high_low(*make_networks(), EXAMPLE, controller=nn.Sequential(nn.Flatten(), nn.Linear(72, 3)))
