"""Layers with fewer channels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from offramp import attach
from offramp.attach import d2nn
from offramp.compress import Narrow, narrow
from offramp.errors import GraphError, OptionError
from offramp.graph import Graph
from offramp.measure.torch import count_macs
from offramp.nn import Executor
from offramp.store.torch import load_artifact, save_artifact
from offramp.testing import PassContract
from passed import ORIGIN, make_graph, make_quantized


class TestNarrow(PassContract):
    def make(self) -> Narrow:
        return Narrow(node="stage2", layer="3", keep=(0, 3))

    def nothing(self) -> Narrow:
        return Narrow(node="stage2", layer="3", keep=(0, 1, 2, 3))

    def graph(self) -> Graph:
        return make_graph()

    def unsuited(self) -> Graph:
        return make_quantized()(make_graph())


def test_half_of_a_layer_is_saved_loaded_and_costs_less(tmp_path: Path) -> None:
    """Both engines and the reference are in the contract above."""
    graph = make_graph()
    half = narrow(graph, "stage2", "3")
    before, after = count_macs(graph)["stage2"], count_macs(half)["stage2"]
    assert before == 2 * after
    example = {graph.inputs[0].name: torch.rand(2, 1, 6, 6)}
    save_artifact(half, tmp_path, example=example, origin=ORIGIN)
    back = load_artifact(tmp_path)
    assert back.steps[-1] == half.steps[-1]
    with torch.no_grad():
        wanted, got = (Executor(one).eval().dense(example)["stage2"][0] for one in (half, back))
    assert torch.equal(got, wanted)


def test_the_strongest_channels_stay() -> None:
    graph = d2nn("out: x | fc 4 | relu | fc 3", (4,))
    with torch.no_grad():
        for row, size in enumerate((0.1, -3.0, 0.2, 2.0)):
            graph.bodies["out"].get_submodule("fc1").weight[row] = size  # type: ignore[attr-defined]  # a module
    assert narrow(graph, "out", "fc1").bodies["out"].get_submodule("fc1").weight[:, 0].tolist() == [-3.0, 2.0]  # type: ignore[attr-defined]


def layers(*given: nn.Module) -> Callable[[], nn.Sequential]:
    return lambda: nn.Sequential(*given)


FOLLOWED = {
    "conv": layers(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 4), nn.Flatten()),
    "flattened": layers(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 3)),
    "pooled": layers(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
}


@pytest.mark.parametrize("kind", FOLLOWED)
def test_channels_that_are_zero_can_go_without_a_difference(kind: str) -> None:
    """So each number that stays is multiplied with the weight that it was multiplied with before."""
    torch.manual_seed(0)
    net = FOLLOWED[kind]().eval()
    with torch.no_grad():
        for name, value in net.named_parameters():
            nn.init.normal_(value) if value.ndim > 1 else value.zero_()
            if name == "0.weight":
                value[[1, 2]] = 0
    x = torch.rand(2, 1, 6, 6)
    graph = d2nn("net: x\nout: net", x, modules={"net": net, "out": nn.Identity()})
    fewer = Narrow(node="net", layer="0", keep=(0, 3))(graph)
    with torch.no_grad():
        wanted, got = (one.bodies["net"](x) for one in (graph, fewer))
    torch.testing.assert_close(got, wanted)


class Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(144, 3)

    def forward(self, x: torch.Tensor) -> Any:
        found = self.conv(x)
        return self.last((found + x).flatten(1))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(144, 3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.last(self.conv(self.conv(x.expand(-1, 4, -1, -1))).flatten(1))


REFUSED = {
    "a sum": (Branch, "conv", "add"),
    "a layer that runs twice": (Twice, "conv", "runs 2 times"),
    "groups": (layers(nn.Conv2d(1, 2, 3, groups=1), nn.Conv2d(2, 4, 3, groups=2), nn.Flatten()), "1", "is a Conv2d"),
    "the end of the body": (layers(nn.Flatten(), nn.Linear(36, 3)), "1", "'output' reads it"),
    "rows of pixels": (layers(nn.Conv2d(1, 4, 3), nn.Linear(4, 3), nn.Flatten()), "0", "_1' reads it"),
    "softmax": (layers(nn.Conv2d(1, 4, 3), nn.Softmax(1), nn.Flatten(), nn.Linear(64, 3)), "0", "_1' reads it"),
    "no layer": (layers(nn.Flatten(), nn.ReLU(), nn.Linear(36, 3)), "1", "is a ReLU"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_layer_that_cannot_be_narrowed_is_refused_in_a_sentence(kind: str) -> None:
    make, layer, word = REFUSED[kind]
    x = torch.rand(2, 1, 6, 6)
    graph = d2nn("net: x\nout: net", x, modules={"net": make().eval(), "out": nn.Identity()})
    with pytest.raises(GraphError, match=word):
        Narrow(node="net", layer=layer, keep=(0,))(graph)


@pytest.mark.parametrize("keep", [(), (1, 0), (0, 0), (0, 9), (-1,)])
def test_channels_that_there_are_not_are_refused(keep: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="some of 0 to 3 in ascending order"):
        Narrow(node="stage2", layer="3", keep=keep)(make_graph())


@pytest.mark.parametrize(("node", "layer"), [("stage9", "3"), ("stage2", "99")])
def test_a_layer_that_there_is_not_is_refused(node: str, layer: str) -> None:
    with pytest.raises(OptionError, match="must be"):
        narrow(make_graph(), node, layer)


@pytest.mark.parametrize("share", [0.0, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(OptionError, match="share must be"):
        narrow(make_graph(), "stage2", "3", share=share)


def test_a_layer_of_a_captured_network_can_be_narrowed() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    graph = attach.exits(net, torch.rand(2, 4), placement=["1"], head="pool")
    assert narrow(graph, "stage1", "2", share=0.25)["stage1"].outputs == graph["stage1"].outputs
