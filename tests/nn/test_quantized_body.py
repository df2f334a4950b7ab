"""A body in 8 bits as PyTorch runs it, against ONNX Runtime."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from offramp.export._body import trace_body
from offramp.graph import Node, Tensor
from offramp.measure.torch import count
from offramp.nn import QuantizedBody, in_float
from passed import make_graph, make_quantized

STEP = 1 / 255


def run(model: onnx.ModelProto, *given: torch.Tensor) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(None, {f"i{at}": one.numpy() for at, one in enumerate(given)})
    return found


class Layers(nn.Module):
    """Something of all that is computed here, and of what is left to ONNX Runtime."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)
        self.two = nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1)
        self.pad = nn.ZeroPad2d((0, 1, 1, 0))
        self.three = nn.Conv1d(12, 5, 3, padding=2, dilation=2)
        self.four = nn.Linear(25, 3)

    def forward(self, x: torch.Tensor) -> Any:
        found = torch.relu(self.one(x)) + 1
        found = self.pad(torch.sigmoid(self.two(found)))
        found = self.three(found.flatten(1, 2).softmax(1)[:, :12, :5])
        return self.four(found.flatten(1)), found @ found.transpose(1, 2)


def test_every_layer_gives_what_onnx_runtime_gives() -> None:
    torch.manual_seed(0)
    node = Node(name="n", kind="function", outputs=(Tensor(shape=(3,)), Tensor(shape=(5, 5))))
    model = trace_body(node, Layers().eval(), [Tensor(shape=(2, 8, 8))])
    x = torch.rand(3, 2, 8, 8)
    for got, wanted in zip(QuantizedBody(model, nn.Identity())(x), run(model, x), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["exit1/head", "stage2"])
def test_a_body_in_8_bits_gives_what_onnx_runtime_gives_within_a_step(name: str) -> None:
    body = make_quantized()(make_graph()).bodies[name]
    assert isinstance(body, QuantizedBody)
    x = torch.rand(5, *make_graph()["stage1"].outputs[0].shape)
    (wanted,) = run(body.model, x)
    np.testing.assert_allclose(body(x).numpy(), wanted, atol=2 * STEP * np.abs(wanted).max())


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_numbers_halfway_between_codes_and_out_of_range_are_rounded_alike(kind: type) -> None:
    value = helper.make_tensor_value_info("i0", TensorProto.FLOAT, ["n", 4])
    steps = numpy_helper.from_array(np.array([0.5, 1.0, 2.0, 0.25], np.float32), "step")
    zeros = numpy_helper.from_array(np.array([0, 3, 1, 100], kind), "zero")
    nodes = [
        helper.make_node("QuantizeLinear", ["i0", "step", "zero"], ["codes"], axis=-1),
        helper.make_node("DequantizeLinear", ["codes", "step", "zero"], ["o0"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes, "g", [value], [helper.make_tensor_value_info("o0", TensorProto.FLOAT, ["n", 4])], [steps, zeros]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    x = torch.tensor([[0.25, 0.5, 1.0, 0.125], [-0.75, 2.5, -3.0, 900.0], [-900.0, 900.0, 5.0, -900.0]])
    np.testing.assert_array_equal(QuantizedBody(model, nn.Identity())(x).numpy(), run(model, x)[0])


def test_it_can_be_copied_and_sent_to_another_process() -> None:
    body = make_quantized()(make_graph()).bodies["stage2"]
    x = torch.rand(2, *make_graph()["stage1"].outputs[0].shape)
    wanted = body(x)
    assert torch.equal(copy.deepcopy(body)(x), wanted)
    assert torch.equal(pickle.loads(pickle.dumps(QuantizedBody(body.model, nn.Identity())))(x), wanted)  # type: ignore[attr-defined]


def test_it_has_no_state_and_nothing_to_train() -> None:
    body = make_quantized()(make_graph()).bodies["stage2"]
    assert isinstance(body, QuantizedBody)
    assert not body.state_dict()
    assert not list(body.parameters())
    assert count(body, torch.rand(1, *make_graph()["stage1"].outputs[0].shape)) > 0


def test_the_body_in_float_is_known() -> None:
    graph = make_graph()
    assert in_float(make_quantized()(graph).bodies["stage2"]) is graph.bodies["stage2"]
    assert in_float(graph.bodies["stage2"]) is graph.bodies["stage2"]
