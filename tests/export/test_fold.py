"""What follows from weights alone is computed at export, and nothing else is."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from offramp import attach
from offramp.export import _fold, find_departure
from offramp.export._body import trace_body
from offramp.export._fold import fold_constants
from offramp.graph import DataEdge, Node, Tensor
from offramp.run import openvino

PICTURE, LOGITS = Tensor(shape=(3, 12, 12)), Tensor(shape=(4,))
NODE = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(LOGITS,))


class Positions(nn.Module):
    """A position embedding that is resized to the size of the picture, as vision transformers do it."""

    def __init__(self, **how):
        super().__init__()
        self.pos = nn.Parameter(torch.randn(1, 8, 5, 5, generator=torch.Generator().manual_seed(0)))
        self.first, self.last = nn.Conv2d(3, 8, 2, 2), nn.Linear(8 * 36, 4)
        self.how = how

    def forward(self, x):
        h = self.first(x)
        return self.last((h + F.interpolate(self.pos, h.shape[2:], **self.how)).flatten(1))


class Mixed(nn.Module):
    """Weights that are multiplied and turned before they are used."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.rand(64, 3 * 144)), nn.Parameter(torch.rand(4, 64))

    def forward(self, x):
        return x.flatten(1) @ (self.b @ self.a).softmax(-1).T


HOW = {
    "bicubic antialias": {"mode": "bicubic", "antialias": True},
    "bilinear antialias": {"mode": "bilinear", "antialias": True},
    "bicubic": {"mode": "bicubic", "align_corners": False},
    "nearest": {"mode": "nearest"},
}


def model_of(nodes, outputs, weights=()):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph(
        nodes, "g", [x], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        initializer=[numpy_helper.from_array(np.asarray(value), name) for name, value in weights],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model, **given):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, given)


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_a_position_embedding_is_resized_at_export_and_openvino_answers_as_pytorch_does(how, tmp_path):
    net = Positions(**how)
    model = trace_body(NODE, net, [PICTURE])
    assert "Resize" not in {node.op_type for node in model.graph.node}
    onnx.save(model, path := tmp_path / "net.onnx")
    given = torch.rand(3, 3, 12, 12)
    with torch.no_grad():
        expected = net(given).numpy()
    np.testing.assert_allclose(openvino.load_static(path)(given.numpy()), expected, atol=1e-5 * np.abs(expected).max())


def test_products_of_weights_are_folded_too():
    model = trace_body(NODE, net := Mixed(), [PICTURE])
    assert [node.op_type for node in model.graph.node if node.op_type in ("MatMul", "Softmax", "Gemm")] == ["MatMul"]
    given = torch.rand(2, 3, 12, 12)
    with torch.no_grad():
        np.testing.assert_allclose(run(model, i0=given.numpy())[0], net(given).numpy(), rtol=1e-5)


def test_a_resize_of_what_is_given_stays():
    class Enlarged(nn.Module):
        def forward(self, x):
            return F.interpolate(x, (14, 14)).flatten(1)[:, :4]

    assert "Resize" in {node.op_type for node in trace_body(NODE, Enlarged(), [PICTURE]).graph.node}


def test_chance_and_weights_in_8_bits_stay():
    nodes = [
        helper.make_node("RandomNormal", [], ["noise"], shape=[4]),
        helper.make_node("DequantizeLinear", ["codes", "scale"], ["w"]),
        helper.make_node("Add", ["noise", "w"], ["sum"]),
        helper.make_node("Mul", ["x", "sum"], ["y"]),
    ]
    weights = [("codes", np.arange(4, dtype=np.int8)), ("scale", np.float32(0.5))]
    model = fold_constants(model_of(nodes, ["y"], weights))
    assert [node.op_type for node in model.graph.node] == ["RandomNormal", "DequantizeLinear", "Add", "Mul"]


def test_what_an_inner_graph_reads_is_folded_for_it():
    inner = helper.make_graph([helper.make_node("Mul", ["x", "half"], ["z"])], "then", [],
                              [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)])  # fmt: skip
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["z2"])], "else", [],
                              [helper.make_tensor_value_info("z2", TensorProto.FLOAT, None)])  # fmt: skip
    nodes = [
        helper.make_node("Sqrt", ["quarter"], ["half"]),
        helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=other),
    ]
    model = fold_constants(model_of(nodes, ["y"], [("quarter", np.float32([0.25])), ("yes", np.array(True))]))
    assert [node.op_type for node in model.graph.node] == ["If"]
    assert {tensor.name for tensor in model.graph.initializer} == {"half", "yes"}
    np.testing.assert_array_equal(run(model, x=np.ones((2, 4), np.float32))[0], 0.5)


def test_an_output_that_is_constant_is_still_given():
    nodes = [helper.make_node("Sqrt", ["w"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    model = fold_constants(model_of(nodes, ["y", "z"], [("w", np.float32([4, 9]))]))
    assert run(model, x=np.zeros((1, 4), np.float32))[0].tolist() == [2, 3]


def test_what_would_make_the_file_much_larger_stays_an_operation(monkeypatch):
    monkeypatch.setattr(_fold, "LARGEST", 100)
    nodes = [
        helper.make_node("Sqrt", ["w"], ["root"]),
        helper.make_node("Expand", ["root", "shape"], ["large"]),
        helper.make_node("Add", ["x", "large"], ["y"]),
    ]
    model = fold_constants(model_of(nodes, ["y"], [("w", np.float32([4])), ("shape", np.array([50, 4]))]))
    assert [node.op_type for node in model.graph.node] == ["Sqrt", "Expand", "Add"]
    assert run(model, x=np.zeros((1, 4), np.float32))[0].shape == (50, 4)


def test_operators_that_the_folding_runtime_lacks_stay():
    nodes = [helper.make_node("NoSuchOperator", ["w"], ["v"]), helper.make_node("Add", ["x", "v"], ["y"])]
    model = fold_constants(model_of(nodes, ["y"], [("w", np.float32([4]))]))
    assert [node.op_type for node in model.graph.node] == ["NoSuchOperator", "Add"]


@pytest.mark.usefixtures("vision")
def test_a_vision_transformer_at_another_size_than_trained_answers_as_pytorch_does_in_openvino():
    timm = pytest.importorskip("timm", reason="timm is an extra")
    torch.manual_seed(0)
    net = timm.create_model(
        "vit_tiny_patch16_224", num_classes=10, img_size=64, patch_size=8, dynamic_img_size=True, depth=2
    ).eval()
    nn.init.normal_(net.pos_embed)  # as large as what it is added to, as in a trained one
    nn.init.normal_(net.head.weight)
    graph = attach.exits(net, torch.rand(2, 3, 96, 96), count=0)
    given = np.random.default_rng(0).random((4, 3, 96, 96)).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(given)).numpy()
    traces: dict = {}
    assert find_departure(graph, {"x": given}, expected, traces=traces) is None
    assert "Resize" not in {node.op_type for _, model in traces.values() for node in model.graph.node}
