from __future__ import annotations

from pathlib import Path
from unittest import mock

import torch
from torch import nn

from offramp import build
from offramp.cli._exports import Exports
from offramp.export import backbone, onnx, static_path


def test_each_body_is_traced_once(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    graph = build.attach_exits(net, torch.zeros(2, 8), exits=1, placement="1")
    exports = Exports(tmp_path)
    with mock.patch.object(onnx, "trace_body", wraps=onnx.trace_body) as traced:
        exports.save(graph, tmp_path / "model.onnx", {"thresholds": [0.5]})
        exports.save_dense(static_path(graph, "exit0/head"), "exit0")
        exports.save_dense(backbone(graph), "alone")
        exports.save_scratch(graph, "gated")
    assert traced.call_count == 4  # two stages, a head and a score
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "exit0.onnx", "alone.onnx", "gated.onnx"}
