"""Maps that enter an `If` end in a convolution by 1 where less than float32 is computed, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from torch import nn

from offramp import attach
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.nn import Normalize
from offramp.run import openvino as run_openvino
from offramp.run.openvino._specialize import specialize

SHAPE = (3, 16, 16)


class Block(nn.Module):
    """A residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.conv(x)).relu()  # type: ignore[no-any-return]  # layers and arrays tell no type


def make(placement: list[str], head: str) -> Graph:
    """A small residual network with exits."""
    torch.manual_seed(0)
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)]
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Block(), Block(), Block(), *pooled).eval()
    return attach.exits(
        network, torch.rand(2, *SHAPE), placement=placement, head=head, normalize=Normalize([0.5] * 3, [0.2] * 3)
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx.save(make(["1", "2"], "pool"), tmp_path_factory.mktemp("maps") / "model.onnx")


def count(model: openvino.Model) -> int:
    """Grouped convolutions, those in bodies too."""
    found = 0
    for node in model.get_ops():
        found += node.get_type_name() == "GroupConvolution"
        if node.get_type_name() == "If":
            found += count(node.get_then_body())
    return found


def specialized(path: Path, rows: int, *, rounded: bool) -> openvino.Model:
    model = openvino.Core().read_model(path)
    model.reshape({port: [rows, *SHAPE] for port in model.inputs if port.any_name == "x"})
    specialize(model, rows, rounded=rounded)
    return model


@pytest.mark.parametrize(("rows", "rounded", "expected"), [(4, True, 2), (4, False, 0), (1, True, 0)])
def test_one_convolution_per_map_that_enters(path: Path, rows: int, rounded: bool, expected: int) -> None:
    assert count(specialized(path, rows, rounded=rounded)) == expected


@pytest.mark.parametrize("rows", [2, 13])
def test_in_float32_nothing_changes(path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, rounded = run_openvino.load(path), run_openvino.load(path)
    monkeypatch.setattr(rounded._file, "_rounded", True)
    inputs = {"x": np.random.default_rng(rows).random((rows, *SHAPE), np.float32)}
    nobody = np.full(2, 2.0, np.float32)
    half = np.full(2, np.median(plain(inputs, nobody).score), np.float32)
    for thresholds in (half, nobody, -nobody):
        one, other = plain(inputs, thresholds), rounded(inputs, thresholds)
        np.testing.assert_array_equal(one.route, other.route)
        np.testing.assert_allclose(one.logits, other.logits, atol=1e-6)


def test_what_enters_as_it_was_given_is_left_alone(tmp_path: Path) -> None:
    """A student reads the picture itself: no convolution made it."""
    path = export_onnx.save(make(["input"], "student:width=4"), tmp_path / "model.onnx")
    assert count(specialized(path, 4, rounded=True)) == count(specialized(path, 4, rounded=False))
