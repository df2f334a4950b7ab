"""Residual chains are folded by ONNX Runtime wherever they begin, and give what they gave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from offramp import attach
from offramp.export import onnx as export_onnx
from offramp.run import onnx as run_onnx
from offramp.run.onnx._fusible import make_fusible
from offramp.run.onnx._lift import lift
from offramp.run.onnx._runtime import _segments
from offramp.transform import backbone

BLOCKS = 3


def chain(front: Sequence[NodeProto], first: str, *, width: int = 16, blocks: int = BLOCKS) -> ModelProto:
    """Residual blocks whose first shortcut is called `first`; `front` makes it of the input x."""
    random = np.random.default_rng(0)
    weights = {"stem": np.full((width, width, 3, 3), 0.01)}
    nodes, at = list(front), first
    for block in range(blocks):
        names = [f"{kind}{block}" for kind in ("one", "two", "mid", "conv", "sum", "out")]
        weights |= {name: random.normal(size=(width, width, 3, 3)) * 0.05 for name in names[:2]}
        one, two, mid, conv, total, out = names
        nodes += [
            helper.make_node("Conv", [at, one], [f"{mid}_"], pads=[1] * 4),
            helper.make_node("Relu", [f"{mid}_"], [mid]),
            helper.make_node("Conv", [mid, two], [conv], pads=[1] * 4),
            helper.make_node("Add", [conv, at], [total]),
            helper.make_node("Relu", [total], [out]),
        ]
        at = out
    constants = {"pads": np.array([0, width // 2, 0, 0, 0, width // 2, 0, 0]), "rows": np.array([1, 0])}
    graph = helper.make_graph(
        nodes, "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", width, 8, 8])],
        [helper.make_tensor_value_info(at, TensorProto.FLOAT, ["M", width, 8, 8])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
        + [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


FRONTS = {
    "the input": ([], "x"),
    "a Gather": ([helper.make_node("Gather", ["x", "rows"], ["gathered"], axis=0)], "gathered"),
    "a Transpose": ([helper.make_node("Transpose", ["x"], ["turned"], perm=[0, 1, 3, 2])], "turned"),
}


def count_folded(model: ModelProto, folder: Path) -> int:
    """Additions that ONNX Runtime makes part of a convolution."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(folder / "optimized.onnx"), 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(folder / "optimized.onnx").graph.node
    return sum(node.op_type == "Conv" and len(node.input) == 4 and node.input[3] != "" for node in nodes)


def run(model: ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize("begins_at", FRONTS)
def test_a_chain_is_folded_wherever_it_begins(begins_at: str, tmp_path: Path) -> None:
    model = chain(*FRONTS[begins_at])
    x = np.random.default_rng(1).normal(size=(2, 16, 8, 8)).astype(np.float32)
    before, answers = count_folded(model, tmp_path), run(model, x)
    assert make_fusible(model) == 1
    assert (before, count_folded(model, tmp_path)) == (0, BLOCKS)
    np.testing.assert_allclose(run(model, x), answers, rtol=1e-5, atol=1e-5)  # sums run in another order


def test_what_was_made_fusible_is_left_alone_the_second_time() -> None:
    model = chain([], "x")
    assert [make_fusible(model), make_fusible(model)] == [1, 0]


def test_a_chain_behind_a_convolution_needs_none(tmp_path: Path) -> None:
    model = chain([helper.make_node("Conv", ["x", "stem"], ["stemmed"], pads=[1] * 4)], "stemmed")
    assert make_fusible(model) == 0
    assert count_folded(model, tmp_path) == BLOCKS


@pytest.mark.parametrize(("width", "blocks"), [(12, 3), (16, 1)], ids=["widths that make no blocks", "a lone block"])
def test_nothing_is_put_in_where_it_gains_nothing(width: int, blocks: int) -> None:
    assert make_fusible(chain([], "x", width=width, blocks=blocks)) == 0


def test_weights_in_eight_bits_are_left_alone() -> None:
    model = chain([], "x")
    for node in model.graph.node:
        if node.op_type == "Conv":
            node.input[1] = f"{node.input[1]}_real"
    kept = [*model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(
        helper.make_node("DequantizeLinear", [f"{name}_codes", "scale"], [f"{name}_real"])
        for name in (f"{kind}{block}" for block in range(BLOCKS) for kind in ("one", "two"))
    )
    model.graph.node.extend(kept)
    codes = np.zeros((16, 16, 3, 3), np.int8)
    for block in range(BLOCKS):
        model.graph.initializer.extend(
            numpy_helper.from_array(codes, f"{kind}{block}_codes") for kind in ("one", "two")
        )
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.1, np.float32), "scale"))
    assert make_fusible(model) == 0


class OptionA(nn.Module):
    """A CIFAR ResNet in small: its shortcuts to more channels drop every second pixel and pad with zeros."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 16, 16, 32, 32, 32)
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Conv2d(a, b, 3, 1 + (a != b), 1), nn.Conv2d(b, b, 3, padding=1)])
            for a, b in zip((16, *widths), widths, strict=False)
        )
        self.last = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        for one, two in self.blocks:  # type: ignore[misc]  # two modules each
            inner = two(torch.relu(one(x)))  # type: ignore[has-type]  # as it is at run time
            if inner.shape != x.shape:
                x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8))
            x = torch.relu(inner + x)
        return self.last(x.mean((2, 3)))  # type: ignore[no-any-return]  # as modules answer


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The network alone, and with two exits."""
    folder = tmp_path_factory.mktemp("residual")
    torch.manual_seed(0)
    graph = attach.exits(OptionA().eval(), torch.rand(2, 3, 16, 16), count=2)
    export_onnx.save(backbone(graph), folder / "alone.onnx", dense=True)
    return folder / "alone.onnx", export_onnx.save(graph, folder / "model.onnx")


def test_the_network_alone_is_folded_whole(files: tuple[Path, Path], tmp_path: Path) -> None:
    model = onnx.load(files[0])
    before = count_folded(model, tmp_path)
    make_fusible(model)
    assert (before, count_folded(model, tmp_path)) == (3, 6)  # before: those in front of the padded shortcut


def test_stages_are_folded_too(files: tuple[Path, Path], tmp_path: Path) -> None:
    stages = [stage.model for stage in _segments(lift(onnx.load(files[1])))]
    before = sum(count_folded(stage, tmp_path) for stage in stages)
    for stage in stages:
        make_fusible(stage)
    assert sum(count_folded(stage, tmp_path) for stage in stages) > before


@pytest.mark.parametrize("threshold", [0.0, 0.105, 2.0])
def test_answers_and_routes_stay(files: tuple[Path, Path], threshold: float) -> None:
    x = {"x": np.random.default_rng(0).random((7, 3, 16, 16), np.float32)}
    limits = np.full(2, threshold, np.float32)
    plain, folded = (run_onnx.load(files[1], fusible=fusible)(x, limits) for fusible in (False, True))
    np.testing.assert_array_equal(folded.route, plain.route)
    np.testing.assert_allclose(folded.logits, plain.logits, rtol=1e-4, atol=1e-5)


def test_evidence_stays(files: tuple[Path, Path]) -> None:
    x = {"x": np.random.default_rng(0).random((7, 3, 16, 16), np.float32)}
    plain, folded = (run_onnx.load_dense(files[0], fusible=fusible)(x) for fusible in (False, True))
    np.testing.assert_allclose(folded.logits, plain.logits, rtol=1e-4, atol=1e-5)
