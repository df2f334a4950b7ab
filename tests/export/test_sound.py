"""A sample that is not finite never leaves early, even where nothing that computes sees what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from torch import nn

from graphs import STOP_HIGH, STOP_LOW, make_chain, with_numpy_bodies
from offramp import attach
from offramp.export import onnx as export_onnx
from offramp.export._scope import Scope
from offramp.export._sound import find_taint
from offramp.graph import DataEdge, Gate, Graph, Node, Tensor
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.run import run_reference
from offramp.run import torch as run_torch

WRONG = (np.nan, np.inf, -np.inf)
ROWS = (1, 2, 7, 64)


class Blind(nn.Module):
    """Reads every second pixel, and hides the rest in what cuts off below zero or takes the largest."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 1, stride=2), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.third = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.last = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.third(self.second(self.first(x))))  # type: ignore[no-any-return]  # as modules answer


@pytest.fixture(scope="module")
def blind() -> Graph:
    torch.manual_seed(0)
    return attach.exits(Blind(), torch.rand(2, 1, 8, 8), count=2, placement=("input", "first.1"), head="pool")


@pytest.fixture(scope="module")
def file(blind: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx.save(blind, tmp_path_factory.mktemp("blind") / "model.onnx")


@pytest.fixture(scope="module")
def dense(blind: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx.save(blind, tmp_path_factory.mktemp("blind") / "dense.onnx", dense=True)


def pictures(rows: int, wrong: float, pixel: tuple[int, int]) -> np.ndarray:
    """Of which the first has one pixel that is no number."""
    x = np.random.default_rng(0).random((rows, 1, 8, 8), np.float32)
    x[(0, 0, *pixel)] = wrong
    return x


def bare_openvino(path: Path, precision: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The file as a user without offramp runs it."""
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(path)), "CPU", {"INFERENCE_PRECISION_HINT": precision})
    return lambda x, limits: np.asarray(compiled({"x": x, "thresholds": limits})["exit"])


def bare_onnxruntime(path: Path) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda x, limits: np.asarray(session.run(["exit"], {"x": x, "thresholds": limits})[0])


@pytest.fixture(scope="module")
def ways(blind: Graph, file: Path) -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """Everything that can run the network with its exits."""

    def taken(runtime: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        return lambda x, limits: runtime({"x": x}, limits).exit

    return {
        "reference": lambda x, limits: run_reference(with_numpy_bodies(blind), {"x": x}, limits).exit,
        "torch": taken(run_torch.load(blind)),
        "onnxruntime in stages": taken(run_onnx.load(file)),
        "onnxruntime whole": taken(run_onnx.load(file, staged=False)),
        "openvino f32": taken(run_openvino.load(file, precision="f32")),
        "bare onnxruntime": bare_onnxruntime(file),
        "bare openvino f32": bare_openvino(file, "f32"),
        "bare openvino bf16": bare_openvino(file, "bf16"),
    }


WAYS = (
    "reference", "torch", "onnxruntime in stages", "onnxruntime whole", "openvino f32",
    "bare onnxruntime", "bare openvino f32", "bare openvino bf16",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pixel", [(2, 2), (3, 3)], ids=["seen", "read by nobody"])
@pytest.mark.parametrize("wrong", WRONG)
def test_one_wrong_pixel_never_leaves_early(ways: Any, way: str, wrong: float, pixel: tuple[int, int]) -> None:
    everybody = np.zeros(2, np.float32)
    for rows in ROWS:
        exits = ways[way](pictures(rows, wrong, pixel), everybody)
        assert exits.tolist() == [2] + [0] * (rows - 1)


@pytest.mark.parametrize("way", WAYS)
def test_nor_at_a_gate_inside_the_body_of_another(ways: Any, way: str) -> None:
    limits = np.array([2, 0], np.float32)  # nobody stops at the first
    assert ways[way](pictures(7, np.nan, (3, 3)), limits).tolist() == [2, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("load", [run_onnx.load_dense, run_openvino.load_dense])
@pytest.mark.parametrize("wrong", WRONG)
def test_the_evidence_says_so_too(dense: Path, load: Any, wrong: float) -> None:
    scores = load(dense)({"x": pictures(7, wrong, (3, 3))}).scores["max_probability"]
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1:]).all()


def test_samples_of_numbers_are_left_as_they_are(dense: Path) -> None:
    x = np.concatenate([pictures(7, 0.5, (3, 3)), -pictures(7, 1e30, (3, 3))])
    scores = run_onnx.load_dense(dense)({"x": x}).scores["max_probability"]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("gate", [STOP_HIGH, STOP_LOW])
def test_gates_of_both_directions_let_it_pass(gate: Gate) -> None:
    x = np.arange(15, dtype=np.float32).reshape(5, 3)
    x[[1, 4], [0, 2]] = np.nan
    thresholds = np.full(2, gate.stop_all, np.float32)
    thresholds[0] = gate.stop_none  # so that the second gate is inside an `If`
    written = export_onnx.to_model(make_chain(2, gate)).SerializeToString()
    session = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])
    (exits,) = session.run(["exit"], {"x": x, "thresholds": thresholds})
    assert exits.tolist() == [1, 2, 1, 1, 2]


def ask(*inputs: Tensor) -> tuple[str, Scope]:
    """What is written about a graph with these inputs."""
    names = [f"in{at}" for at in range(len(inputs))]
    nodes = [Node(name=name, kind="input", outputs=(tensor,)) for name, tensor in zip(names, inputs, strict=True)]
    edges = tuple(DataEdge(source=name) for name in names)
    network = Node(name="network", kind="function", inputs=edges, outputs=(Tensor(shape=(2,)),))
    scope = Scope("test")
    return find_taint(Graph(nodes=(*nodes, network), answer="network"), scope), scope


def test_of_tokens_nothing_is_asked() -> None:
    taint, scope = ask(Tensor(shape=(4,), dtype="int64"))
    assert taint == ""
    assert not scope.nodes


@pytest.mark.parametrize("wrong_input", [0, 1, 2])
def test_every_float_input_is_looked_at(wrong_input: int) -> None:
    tensors = (Tensor(shape=(2, 3)), Tensor(shape=()), Tensor(shape=(4,), dtype="float64"))
    taint, scope = ask(*tensors, Tensor(shape=(4,), dtype="int64"))
    kinds = [onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE]
    inputs = [
        onnx.helper.make_tensor_value_info(f"in{at}", kind, ["B", *tensor.shape])
        for at, (kind, tensor) in enumerate(zip(kinds, tensors, strict=True))
    ]
    outputs = [onnx.helper.make_tensor_value_info(taint, onnx.TensorProto.FLOAT, ["B"])]
    model = onnx.helper.make_model(
        scope.graph(inputs, outputs), opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8
    )
    given = {f"in{at}": np.ones((2, *tensor.shape), tensor.dtype) for at, tensor in enumerate(tensors)}
    given[f"in{wrong_input}"].reshape(2, -1)[1, 0] = np.nan
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, given)
    np.testing.assert_array_equal(found, [0, np.nan])
