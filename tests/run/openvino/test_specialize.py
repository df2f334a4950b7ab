"""A specialized model says what the model said before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from torch import nn

from offramp.export import onnx as export_onnx
from offramp.graph import DataEdge, Gate, Graph, Node, Tensor
from offramp.run import openvino as run_openvino
from offramp.run import torch as run_torch
from offramp.run.openvino._specialize import specialize

MAP = Tensor(shape=(16, 24, 32))
LOGITS = Tensor(shape=(3,))
GATE = Gate(direction="higher", stop_all=-1e9, stop_none=1e9)


class Most(nn.Module):
    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.amax(dim=1)


def make_pictures() -> Graph:
    """Two exits over maps that are slow to lay out anew: 16 channels of 24 x 32 pixels."""
    torch.manual_seed(0)
    conv = [nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()) for _ in range(3)]
    heads = [nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3)) for _ in range(3)]
    nodes, bodies, feature = [Node(name="x", kind="input", outputs=(MAP,))], {}, "x"  # type: ignore[var-annotated]  # as it is at run time
    for at in range(3):
        stage, head, score = f"stage{at}", f"exit{at}/head", f"exit{at}/score"
        nodes.append(Node(name=stage, kind="function", inputs=(DataEdge(source=feature),), outputs=(MAP,)))
        nodes.append(Node(name=head, kind="function", inputs=(DataEdge(source=stage),), outputs=(LOGITS,)))
        bodies |= {stage: conv[at], head: heads[at]}  # type: ignore[dict-item]  # as it is at run time
        feature = stage
        if at < 2:
            given = (DataEdge(source=head),)
            nodes.append(Node(name=score, kind="function", inputs=given, outputs=(Tensor(shape=()),), role="score"))
            edges = (f"exit{at}/stop", f"stage{at + 1}")
            nodes.append(
                Node(name=f"exit{at}/gate", kind="control", inputs=(DataEdge(source=score),), gate=GATE, edges=edges)
            )
            nodes.append(Node(name=f"exit{at}/stop", kind="dummy"))
            bodies[score] = Most()
    answers = tuple(DataEdge(source=f"exit{at}/head") for at in (2, 1, 0))
    nodes.append(Node(name="answer", kind="select", inputs=answers, outputs=(LOGITS,)))
    return Graph(nodes=tuple(nodes), answer="answer", bodies=bodies)


GRAPH = make_pictures()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx.save(GRAPH, tmp_path_factory.mktemp("pictures") / "model.onnx")


def kinds(model: openvino.Model) -> list[str]:
    found = [node.get_type_name() for node in model.get_ops()]
    for node in model.get_ops():
        if node.get_type_name() == "If":
            found += kinds(node.get_then_body())
    return found


def pictures(rows: int) -> dict[str, np.ndarray]:
    scale = np.linspace(0.1, 3.0, rows, dtype=np.float32).reshape(rows, 1, 1, 1)
    return {"x": np.random.default_rng(rows).random((rows, 16, 24, 32), dtype=np.float32) * scale}


@pytest.mark.parametrize("rows", [1, 2, 13, 64])
def test_the_answers_are_those_of_torch(path: Path, rows: int) -> None:
    inputs, reference = pictures(rows), run_torch.load(GRAPH)
    nobody = np.full(2, 1e9, np.float32)
    logits = run_torch.load_dense(GRAPH)(inputs).logits.max(axis=2)
    for limits in (nobody, -nobody, np.median(logits, axis=0)[:2] + np.float32(1e-3)):
        got, expected = run_openvino.load(path)(inputs, limits), reference(inputs, limits)
        np.testing.assert_array_equal(got.route, expected.route)
        np.testing.assert_allclose(got.logits, expected.logits, atol=1e-4)


def test_one_row_has_all_its_sizes_known(path: Path) -> None:
    model = openvino.Core().read_model(path)
    model.reshape({"x": [1, *MAP.shape]})
    specialize(model, 1)
    assert not {"NonZero", "ScatterNDUpdate", "SpaceToDepth"} & set(kinds(model))


def test_with_one_row_nothing_is_counted(path: Path) -> None:
    model = openvino.Core().read_model(path)
    model.reshape({"x": [1, *MAP.shape]})
    specialize(model, 1)
    (branch,) = (node for node in model.get_ops() if node.get_type_name() == "If")
    asked = branch.input_value(0).get_node()
    assert [asked.get_type_name(), asked.input_value(0).get_node().get_type_name()] == ["Reshape", "LogicalNot"]


def test_more_rows_are_still_counted_and_cross_the_border_folded(path: Path) -> None:
    model = openvino.Core().read_model(path)
    specialize(model, 5)
    found = kinds(model)
    assert found.count("NonZero") == 3  # who goes on, at each of two gates; who came back
    assert found.count("SpaceToDepth") == found.count("DepthToSpace") == 2
