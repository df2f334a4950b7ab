"""What ONNX Runtime makes of files in 8 bits: integer kernels, or a name in the list of those that are not."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor as Values
from torch import nn

from offramp.compress import Quantized
from offramp.compress._ends import float_kernels
from offramp.compress._nncf import quantize_model
from offramp.compress._noise import restore
from offramp.export import onnx as export_onnx
from offramp.export._body import trace_body
from offramp.graph import DataEdge, Node, Tensor
from offramp.nn.heads import HeadRecipe, build_head
from offramp.run.onnx._lift import lift
from offramp.run.onnx._runtime import _segments
from quantized import make_small

SHAPE = (8, 12, 12)
IN_FLOAT = ("Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "Add")
IN_BYTES = ("QLinearConv", "QGemm", "QLinearMatMul", "QLinearAdd")


def kernels(model: onnx.ModelProto, folder: Path) -> Counter[str]:
    """What ONNX Runtime runs, by the name of the operator."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(folder / "optimized.onnx"), 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: Counter[str] = Counter()
    pending = [onnx.load(folder / "optimized.onnx").graph]
    while pending:
        graph = pending.pop()
        found.update(node.op_type for node in graph.node)
        pending += [one.g for node in graph.node for one in node.attribute if one.HasField("g")]
    return found


def conv(width: int = 8, groups: int = 1, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(8, width, size, padding=size // 2, groups=groups)


class Residual(nn.Module):
    """A block whose shortcut is padded, as ResNets for CIFAR have it, between two others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner, self.second = conv(), conv(), nn.Conv2d(8, 16, 3, 2, 1)

    def forward(self, x: Values) -> Values:
        x = torch.relu(self.first(x))
        x = torch.relu(self.inner(x) + x)
        short = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4))
        return torch.relu(self.second(x) + short)


class Beside(nn.Module):
    """What is never negative beside what may be."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.last = conv(), conv(), nn.Conv2d(16, 8, 3)

    def forward(self, x: Values) -> Values:
        return torch.relu(self.last(torch.cat([torch.relu(self.left(x)), self.right(x)], dim=1)))


class Bottleneck(nn.Module):
    """As MobileNet has them: what leaves it may be negative, and two read it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv(size=1), nn.ReLU6(), conv(groups=8), nn.ReLU6(), conv(size=1))

    def forward(self, x: Values) -> Values:
        return x + self.layers(x)  # type: ignore[no-any-return]  # layers and arrays tell no type


def classifier(*layers: nn.Module, width: int = 8) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 5))


BODIES = {
    "ends with a relu": lambda: nn.Sequential(conv(), nn.ReLU(), conv(), nn.ReLU()),
    "ends with a convolution": lambda: nn.Sequential(conv(), nn.ReLU(), conv()),
    "ends with a sum": Residual,
    "relu6, depthwise": lambda: nn.Sequential(conv(), nn.ReLU6(), conv(groups=8), nn.ReLU6(), conv(size=1)),
    "light head": lambda: build_head(HeadRecipe("light"), SHAPE, 5),
    "light head with pooling": lambda: nn.Sequential(
        nn.Upsample(scale_factor=3), build_head(HeadRecipe("light"), (8, 36, 36), 5)
    ),
    "student": lambda: build_head(HeadRecipe("student"), SHAPE, 5),
    "most, then mean": lambda: classifier(conv(), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), conv(), nn.ReLU()),
    "beside each other": Beside,
    "bottlenecks": lambda: nn.Sequential(conv(), Bottleneck(), Bottleneck(), conv(), nn.ReLU()),
    "two linear layers": lambda: nn.Sequential(
        conv(), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 16), nn.ReLU(), nn.Linear(16, 5)
    ),
}  # fmt: skip


@cache
def make(name: str) -> tuple[onnx.ModelProto, onnx.ModelProto, tuple[dict[str, Any], ...]]:
    """A body in float and in 8 bits, and what it was quantized with."""
    torch.manual_seed(0)
    module = BODIES[name]().eval() if name in BODIES else OPEN[name]().eval()  # type: ignore[no-untyped-call]  # PyTorch's own
    draw = np.random.default_rng(0)
    items = tuple({"i0": draw.normal(size=(1, *SHAPE)).astype(np.float32)} for _ in range(16))
    with torch.no_grad():
        made = module(torch.from_numpy(items[0]["i0"]))
    node = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(Tensor(shape=made.shape[1:]),))
    traced = trace_body(node, module, [Tensor(shape=SHAPE)])
    return traced, quantize_model(traced, items), items


@pytest.mark.parametrize("name", BODIES)
def test_every_product_and_sum_of_a_body_is_an_integer_kernel(name: str, tmp_path: Path) -> None:
    traced, made, _ = make(name)
    found = kernels(made, tmp_path)
    wanted = Counter(node.op_type for node in traced.graph.node)
    assert {kind: found[kind] for kind in IN_FLOAT if found[kind]} == {}, dict(found)
    assert sum(found[kind] for kind in IN_BYTES) == sum(wanted[kind] for kind in ("Conv", "Gemm", "MatMul", "Add"))
    assert float_kernels(made) == []


OPEN = {
    "silu": lambda: nn.Sequential(conv(), nn.SiLU(), conv(), nn.SiLU()),
    "logits of a convolution": lambda: nn.Sequential(conv(), nn.ReLU(), nn.Conv2d(8, 5, 12), nn.Flatten()),
}


@pytest.mark.parametrize("name", OPEN)
def test_what_stays_in_float_all_the_same_is_named(name: str, tmp_path: Path) -> None:
    _, made, _ = make(name)
    found = kernels(made, tmp_path)
    assert len(float_kernels(made)) == found["Conv"] + found["FusedConv"] > 0, dict(found)


def run(model: onnx.ModelProto, items: tuple[dict[str, Any], ...]) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, item)[0] for item in items])


@pytest.mark.parametrize("name", BODIES)
def test_both_engines_answer_as_in_float_almost(name: str) -> None:
    import openvino

    traced, made, items = make(name)
    wanted, core = run(traced, items), openvino.Core()
    compiled = core.compile_model(core.read_model(made.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for found in (run(made, items), np.concatenate([compiled(item)[0] for item in items])):
        assert np.abs(found - wanted).mean() < 0.03 * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["ends with a sum", "two linear layers", "beside each other"])
def test_a_layer_that_goes_back_to_float_is_the_only_one(name: str, tmp_path: Path) -> None:
    traced, made, _ = make(name)
    layer = next(node for node in traced.graph.node if node.op_type in ("Gemm", "Conv"))
    found = kernels(restore(made, traced, [layer.name]), tmp_path)
    assert sum(found[kind] for kind in ("Conv", "FusedConv", "Gemm", "FusedGemm")) == 1, dict(found)


def test_no_zero_point_behind_a_relu_is_above_the_lowest_code() -> None:
    for name in BODIES:
        graph = make(name)[1].graph
        constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        positive = {node.output[0] for node in graph.node if node.op_type == "Relu"}
        zeros = [
            constants[node.input[2]]
            for node in graph.node
            if node.op_type == "QuantizeLinear" and node.input[0] in positive
        ]
        assert all((zero == np.iinfo(zero.dtype).min).all() for zero in zeros), name


@pytest.mark.parametrize("dense", [True, False])
def test_every_stage_of_a_file_runs_in_integers_and_borders_are_bytes(dense: bool, tmp_path: Path) -> None:
    """Static as a whole, conditional stage by stage: five convolutions and three linear layers."""
    small = make_small()
    model = export_onnx.to_model(small.quantized(small.graph), dense=dense)
    parts = [model] if dense else [stage.model for stage in _segments(lift(model))]
    found = sum((kernels(part, tmp_path) for part in parts), Counter())
    checks = {"Add": len(small.graph.gates)}  # one number a sample: its score is told if its input is not finite
    assert {kind: found[kind] for kind in IN_FLOAT if found[kind]} == checks
    assert (found["QLinearConv"], found["QGemm"]) == (5, 3)


def test_bytes_of_one_body_are_bytes_of_the_next() -> None:
    """Scales are equal to the last bit, so that nothing is rounded twice and engines leave the pair out."""
    bodies = make_small().quantized.bodies
    ends = {
        name: {one.name: numpy_helper.to_array(one) for one in body.graph.initializer} for name, body in bodies.items()
    }
    last = next(node for node in bodies["stage0"].graph.node if "o0" in node.output)
    first = next(node for node in bodies["stage1"].graph.node if "i0" in node.input)
    assert (last.op_type, first.op_type) == ("DequantizeLinear", "QuantizeLinear")
    for at in (1, 2):
        np.testing.assert_array_equal(ends["stage0"][last.input[at]], ends["stage1"][first.input[at]])


def test_a_quantized_network_lists_what_stays_in_float_by_body() -> None:
    bodies = {"one": make("silu")[1], "two": make("student")[1]}
    listed = Quantized(bodies=bodies, sensitivity=()).float_kernels
    assert {name: len(layers) for name, layers in listed.items()} == {"one": 2}
