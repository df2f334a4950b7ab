from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import nn

from offramp import attach
from offramp.export import onnx
from offramp.pipeline._exports import Exports, fusible
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.transform import backbone, static_path


def test_each_body_is_traced_once(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    graph = attach.exits(net, torch.zeros(2, 8), count=1, placement="1")
    exports = Exports(tmp_path)
    with mock.patch.object(onnx, "trace_bodies", wraps=onnx.trace_bodies) as traced:  # type: ignore[attr-defined]  # where it is used
        exports.save(graph, tmp_path / "model.onnx", {"thresholds": [0.5]})
        exports.save_dense(static_path(graph, "exit0/head"), "exit0")
        exports.save_dense(backbone(graph), "alone")
        exports.save_scratch(graph, "gated")
    assert sum(len(call.args[0]) for call in traced.call_args_list) == 4  # two stages, a head and a score
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "exit0.onnx", "alone.onnx", "gated.onnx"}


class Residual(nn.Module):
    """Its first shortcut is the picture itself, so ONNX Runtime would fold no block."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(4))
        self.last = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = torch.relu(x + block(x))
        return self.last(x.mean((2, 3)))  # type: ignore[no-any-return]  # as modules answer


def test_a_file_for_onnx_runtime_holds_what_it_needs_to_fold_blocks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph = attach.exits(Residual().eval(), torch.rand(2, 16, 8, 8), count=1)
    plain = Exports(tmp_path)
    files = [
        exports.save(graph, tmp_path / f"{name}.onnx", {"thresholds": [0.34]})
        for name, exports in (("plain", plain), ("fusible", plain.passing(fusible)))
    ]
    assert b"by_one" not in files[0].read_bytes()
    assert b"by_one" in files[1].read_bytes()
    x = {"x": np.random.default_rng(0).random((9, 16, 8, 8), np.float32)}
    for load in (run_onnx.load, run_openvino.load):
        one, other = (load(path)(x) for path in files)
        np.testing.assert_array_equal(one.route, other.route)
        np.testing.assert_allclose(one.logits, other.logits, rtol=1e-4, atol=1e-5)
