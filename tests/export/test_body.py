from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from graphs import ROW
from offramp.errors import ExportError
from offramp.export._body import inline_body, trace_body
from offramp.export._external import fill
from offramp.export._scope import Scope
from offramp.graph import DataEdge, Node

NODE = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,))


class Refused(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such operator\nand more lines")


def test_a_body_can_be_inlined_twice_under_two_names() -> None:
    layer = nn.Linear(3, 3)
    model = trace_body(NODE, layer, [ROW])
    scope = Scope("main")
    (first,) = inline_body(scope, "one", model, ["x"])
    (second,) = inline_body(scope, "two", model, [first])
    scope.add("Identity", [second], output="y")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in "xy")
    whole = helper.make_model(scope.graph([x], [y]), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    fill(whole, scope.sources)
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    given = torch.rand(5, 3)
    with torch.no_grad():
        wanted = layer(layer(given)).numpy()
    np.testing.assert_allclose(session.run(["y"], {"x": given.numpy()})[0], wanted, rtol=1e-5, atol=1e-6)
    assert {"one/weight", "two/weight"} <= {tensor.name for tensor in scope.initializers}


def test_a_body_that_cannot_be_written_is_named_with_the_first_line_of_the_reason() -> None:
    with pytest.raises(ExportError, match="body of 'net' cannot be written as ONNX"):
        trace_body(NODE, Refused(), [ROW])


def test_tracing_leaves_the_body_in_the_mode_that_it_was_in() -> None:
    body = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)).train()
    trace_body(NODE, body, [ROW])
    assert all(module.training for module in body.modules())
