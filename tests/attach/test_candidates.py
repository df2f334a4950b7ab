"""Exits that may pay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from networks import CifarResNet
from offramp import attach
from offramp.attach import find_candidates
from offramp.capture import capture
from offramp.errors import CaptureError, OptionError
from offramp.measure.torch import count_macs
from offramp.zoo import load_model

PICTURE = torch.zeros(2, 3, 32, 32)


def test_pictures_have_students_at_the_input_and_heads_over_the_work() -> None:
    net = CifarResNet(5)
    found = find_candidates(net, PICTURE)
    assert [(one.cut, one.head) for one in found[:2]] == [("input", "student:width=16"), ("input", "student:width=32")]
    assert len(found) == 2 + 8
    shares = [cut.share for cut in capture(net, PICTURE).cuts if cut.name in {one.cut for one in found}]
    assert all((at + 1) / 9 <= share < (at + 2) / 9 for at, share in enumerate(shares))


@pytest.mark.parametrize("net", [CifarResNet(3), CifarResNet(1)])
def test_no_head_costs_more_than_a_quarter_of_what_it_saves(net: nn.Module) -> None:
    found = find_candidates(net, PICTURE)
    cuts, heads = [one.cut for one in found], [one.head for one in found]
    graph = attach.exits(net, PICTURE, placement=cuts, head=heads)
    macs = count_macs(graph)
    stages = [macs.get(f"stage{at}", 0) for at in range(len(found) + 1)]
    for at, one in enumerate(found):
        assert one.head_macs == macs[f"exit{at}/head"]
        assert one.saved_macs == sum(stages[at + 1 :])
        assert one.head_macs <= 0.25 * one.saved_macs


def test_a_small_network_gets_lighter_heads_and_no_student() -> None:
    loaded = load_model("zoo:lenet5")
    heads = [one.head for one in find_candidates(loaded.module, loaded.example)]
    assert heads == ["light:width=24,blocks=2", "auto", "auto"]


def test_a_small_picture_has_no_student() -> None:
    wide = nn.Sequential(*[layer for _ in range(6) for layer in (nn.LazyConv2d(64, 3, padding=1), nn.ReLU())])
    net = nn.Sequential(wide, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10))
    net(torch.zeros(1, 3, 32, 32))
    for side, student in ((15, False), (16, True)):
        found = find_candidates(net, torch.zeros(2, 3, side, side))
        assert any(one.cut == "input" for one in found) == student


def test_tokens_and_vectors_have_heads_alone() -> None:
    loaded = load_model("zoo:mlp")
    assert {one.head for one in find_candidates(loaded.module, loaded.example)} == {"auto"}


def test_one_kind_of_head_may_be_asked_for() -> None:
    found = find_candidates(CifarResNet(2), PICTURE, head="pool", most=3, placement="pareto")
    assert [one.head for one in found] == ["pool"] * 3


def test_a_network_for_which_every_head_is_too_heavy_is_refused() -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    with pytest.raises(CaptureError, match="no exit can pay"):
        find_candidates(net, torch.zeros(2, 8))


@pytest.mark.parametrize("asked", [{"placement": "luck"}, {"head": "heavy"}])
def test_an_unknown_rule_or_head_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(OptionError, match=next(iter(asked.values()))):
        find_candidates(CifarResNet(1), PICTURE, **asked)  # type: ignore[arg-type]  # options by name


def test_the_random_state_stays() -> None:
    net = CifarResNet(1)
    before = torch.get_rng_state()
    find_candidates(net, PICTURE)
    assert torch.equal(torch.get_rng_state(), before)
