"""Tests of capture: any network, cut anywhere, answers like itself."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import networks
from networks import CifarResNet, call, more
from offramp.capture import Capture, capture
from offramp.errors import CaptureError

pytestmark = pytest.mark.tracing


@dataclass(frozen=True)
class Prepared:
    name: str
    model: nn.Module
    example: Any
    captured: Capture
    stages: list[nn.Module]  # cut at every cut point


@cache  # a fixture of the module would be made anew for every test, as their order is random
def prepare(name: str) -> Prepared:
    model, example = networks.make(name)
    captured = capture(model, example)
    return Prepared(name, model, example, captured, captured.split(captured.cuts))


@pytest.fixture(params=networks.NETWORKS)
def network(request: pytest.FixtureRequest, vision: Any) -> Prepared:
    return prepare(request.param)


@torch.no_grad()
def test_cut_everywhere_with_half_of_the_rows_going_on_the_answers_are_the_full_networks(
    network: Prepared,
) -> None:
    inputs = more(network.example, 16)
    expected = call(network.model, inputs)
    chance = torch.Generator().manual_seed(1)
    rows = torch.arange(16)
    carried = list(inputs.values()) if isinstance(inputs, dict) else [inputs]
    for stage, cut in zip(network.stages, network.captured.cuts, strict=False):
        some = torch.randperm(len(rows), generator=chance)[: max(2, len(rows) // 2)].sort().values
        carried = [
            tensor[some] if like.row_wise else tensor for tensor, like in zip(stage(*carried), cut.carried, strict=True)
        ]
        rows = rows[some]
        assert tuple(carried[0].shape[1:]) == cut.carried[0].shape
    answer = network.stages[-1](*carried)
    torch.testing.assert_close(answer, expected[rows], rtol=1e-4, atol=1e-4)  # sums in another order


def test_stages_keep_the_names_and_values_of_all_weights(network: Prepared) -> None:
    states = [stage.state_dict() for stage in network.stages]
    state = network.model.state_dict()
    found = {name: tensor for one in states for name, tensor in one.items()}
    unused = state.keys() - found.keys()
    assert found.keys() <= state.keys()
    assert all("num_batches_tracked" in name for name in unused)
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.items())


def test_cut_points_come_in_order_with_growing_shares(network: Prepared) -> None:
    captured = network.captured
    shares = [cut.share for cut in captured.cuts]
    assert shares[0] > 0
    assert all(before < after for before, after in pairwise(shares))
    assert shares[-1] < 1
    assert len({cut.name for cut in captured.cuts}) == len(captured.cuts) == len(captured.table())
    assert captured.eval_only == (network.name in networks.EVAL_ONLY)


@pytest.mark.parametrize("name", ["cifar", "hf_bert"])
def test_stages_can_be_copied_and_do_not_share_weights_with_the_next_split(name: str, vision: Any) -> None:
    captured = prepare(name).captured
    stage = copy.deepcopy(captured.split(captured.cuts[:1])[0])
    again = captured.split(captured.cuts[:1])[0]
    with torch.no_grad():
        for weight in stage.parameters():
            weight.add_(1)
    assert not any(torch.equal(a, b) for a, b in zip(stage.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_is(training: bool) -> None:
    model, example = networks.make("cifar")
    model.train(training)
    model.layer1.eval()  # type: ignore[union-attr]  # a mixture of modes, as in fine-tuning
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    modes = [module.training for module in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.random.get_rng_state()
    captured = capture(model, example)
    with torch.no_grad():
        for stage in captured.split(captured.cuts[:1]):
            for weight in stage.parameters():
                weight.zero_()
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert len(model._forward_hooks) == 1
    assert model.layer1[0].shortcut is not None  # type: ignore[index,union-attr]
    assert torch.equal(torch.random.get_rng_state(), random)


def test_a_resnet_is_cut_after_its_blocks() -> None:
    captured = capture(CifarResNet(2), torch.zeros(1, 3, 32, 32))
    blocks = [f"layer{layer}.{block}" for layer in (1, 2, 3) for block in (0, 1)]
    assert [cut.name for cut in captured.cuts] == ["relu", *blocks]
    assert {"layer1", "layer1.1"} <= set(captured.cuts[2].aliases)


def test_training_mode_means_something_where_a_block_asks_for_it() -> None:
    captured = capture(Dropping(), torch.ones(2, 8))
    first = captured.split(captured.cuts[:1])[0]
    assert not captured.eval_only
    assert torch.equal(first(torch.ones(2, 8))[0], first(torch.ones(2, 8))[0])
    first.train()
    assert (first(torch.ones(64, 8))[0] == 0).any()


def test_layers_stay_layers() -> None:
    stage = capture(CifarResNet(1), torch.zeros(2, 3, 32, 32)).split([])[0]
    assert sum(isinstance(module, nn.Conv2d) for module in stage.modules()) == 7


@pytest.mark.parametrize("items", [True, False])
def test_a_tensor_that_a_head_reads_is_not_overwritten_by_the_next_stage(items: bool) -> None:
    captured = capture(Overwriting(items), torch.ones(2, 4))
    assert captured.eval_only == items
    first, rest = captured.split(captured.cuts[:1])
    carried = first(torch.randn(3, 4))
    before = [tensor.clone() for tensor in carried]
    rest(*carried)
    assert all(torch.equal(tensor, old) for tensor, old in zip(carried, before, strict=True))


@pytest.mark.parametrize(
    ("model", "example", "says"),
    [
        (nn.Linear(4, 3), torch.zeros(2, 4), "Linear has no cut point"),
        (nn.Linear(4, 3), torch.zeros(2, 5), "must answer the example"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), torch.zeros(2, 3, 8, 8), r"logits \[B, K\]"),
        (nn.Linear(4, 3), [1, 2], "x0, x1 is not"),
        (nn.Linear(4, 3), torch.zeros(0, 4), "batch axis"),
    ],
)
def test_what_cannot_be_captured_is_refused_by_name(model: nn.Module, example: Any, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        capture(model, example)


def test_branches_on_values_are_refused_with_both_reasons_and_a_way_round() -> None:
    with pytest.raises(CaptureError, match=r"Branching.*torch.fx: stops in its own forward.*torch.export.*Move"):
        capture(Branching(), torch.ones(2, 4))


def test_a_branch_in_a_submodule_keeps_that_module_whole() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), Branching())
    assert [cut.name for cut in capture(model, torch.ones(2, 4)).cuts] == ["1"]


def test_foreign_cut_points_are_refused() -> None:
    one, other = (capture(CifarResNet(n), torch.zeros(2, 3, 32, 32)) for n in (1, 2))
    with pytest.raises(CaptureError, match="in order and once each"):
        one.split(other.cuts)
    with pytest.raises(CaptureError, match="in order and once each"):
        one.split(one.cuts[::-1])


class Dropping(nn.Module):
    """A model with a block that drops whole rows while training, and asks by itself whether it is."""

    class Drop(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.empty(x.shape[0], 1).bernoulli_(0.5) if self.training else x

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.drop = self.Drop()
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.last(self.drop(self.first(x)))
        return answer


class Overwriting(nn.Module):
    """Every way to change a tensor in place; setting items needs torch.export."""

    def __init__(self, items: bool) -> None:
        super().__init__()
        self.items = items
        self.first = nn.Linear(4, 4)
        self.last = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out = self.first(x)
        late = self.last(out)
        out.mul_(2)
        out -= 1
        torch.relu_(out)
        if self.items:
            out[:, 0] = 0
        answer: Tensor = late + self.last(out)
        return answer


class Branching(nn.Module):
    """Python decides by values."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.inner(x if x.sum() > 0 else -x)
        return answer
