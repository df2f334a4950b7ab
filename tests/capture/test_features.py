"""Warnings about networks that have no classifier, and none about those that have one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
from torch import nn

from offramp.capture import capture
from offramp.errors import OfframpWarning

pytestmark = pytest.mark.tracing
PICTURES = torch.randn(2, 3, 32, 32)


def convolutions(width: int, *last: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, width, 3), nn.BatchNorm2d(width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), *last,
    )  # fmt: skip


class Tokens(nn.Module):
    """A small transformer; without a last layer its answer is the mean of normalized tokens."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.embed, self.norm, self.last = nn.Linear(8, 64), nn.LayerNorm(64), last
        self.layer = nn.TransformerEncoderLayer(64, 2, 64, batch_first=True)

    def forward(self, x: torch.Tensor) -> Any:
        return self.last(self.norm(self.layer(self.embed(x))).mean(1))


@pytest.mark.parametrize(
    ("net", "x"),
    [(convolutions(64), PICTURES), (Tokens(nn.Identity()), torch.randn(2, 5, 8))],
    ids=["convolutions", "tokens"],
)
def test_features_in_the_place_of_logits_are_named(net: nn.Module, x: torch.Tensor) -> None:
    with pytest.warns(OfframpWarning, match="64 numbers that look like features"):
        capture(net, x)


@pytest.mark.parametrize(
    ("net", "x"),
    [
        (convolutions(64, nn.Linear(64, 100)), PICTURES),
        (convolutions(10), PICTURES),
        (Tokens(nn.Linear(64, 100)), torch.randn(2, 5, 8)),
        (nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.BatchNorm1d(64)), torch.randn(2, 8)),
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 64, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                       nn.Flatten()), PICTURES),
    ],
    ids=["convolutions", "ten maps", "tokens", "normalized logits", "maps of classes"],
)  # fmt: skip
def test_logits_raise_no_warning(net: nn.Module, x: torch.Tensor) -> None:
    assert capture(net, x).logits.shape[0] in (10, 64, 100)


@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_a_network_of_timm_without_classes_is_named(name: str, classes: int, vision: Any) -> None:
    timm = pytest.importorskip("timm")
    size = {"img_size": 32} if name.startswith("vit") else {}
    net = timm.create_model(name, num_classes=classes, **size)
    with contextlib.nullcontext() if classes else pytest.warns(OfframpWarning, match="look like features"):
        capture(net, PICTURES)


def test_a_network_of_torchvision_whose_last_layer_was_taken_off_is_named(vision: Any) -> None:
    net = vision.models.resnet18()
    net.fc = nn.Identity()
    with pytest.warns(OfframpWarning, match="512 numbers that look like features"):
        capture(net, PICTURES)
