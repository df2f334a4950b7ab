from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from graphs import ROW
from offramp.errors import ExportError
from offramp.export._body import trace_bodies, trace_body
from offramp.graph import DataEdge, Node

TWO = Node(name="two", kind="function", inputs=(DataEdge(source="x"),) * 2, outputs=(ROW, ROW))
ONE = Node(name="one", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,))


class Swap(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.layer(y).relu().clamp(max=1.5), x.softmax(dim=1)


class Refused(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such operator")


def answers(model: onnx.ModelProto) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    given: list[np.ndarray] = session.run(
        None, {port.name: random.normal(size=(5, 3)).astype(np.float32) for port in session.get_inputs()}
    )
    return given


def trace_both() -> list[onnx.ModelProto]:
    return trace_bodies([ONE, TWO, ONE], [nn.Linear(3, 3), Swap(), nn.Linear(3, 3)], [[ROW], [ROW, ROW], [ROW]])


def test_bodies_that_are_traced_together_answer_as_each_alone() -> None:
    bodies, nodes, given = [nn.Linear(3, 3), Swap()], [ONE, TWO], [[ROW], [ROW, ROW]]
    together = trace_bodies(nodes, bodies, given)
    alone = [trace_body(node, body, read) for node, body, read in zip(nodes, bodies, given, strict=True)]
    assert all(
        np.array_equal(one, other)
        for here, there in zip(together, alone, strict=True)
        for one, other in zip(answers(here), answers(there), strict=True)
    )


def test_each_part_is_a_valid_model_with_ports_of_its_own() -> None:
    for model in trace_both():
        onnx.checker.check_model(model)
    ports = [[value.name for value in (*model.graph.input, *model.graph.output)] for model in trace_both()]
    assert ports == [["i0", "o0"], ["i0", "i1", "o0", "o1"], ["i0", "o0"]]


def test_a_part_holds_its_own_weights_under_the_names_of_its_body() -> None:
    names = [{tensor.name for tensor in model.graph.initializer} for model in trace_both()]
    assert names[0] == names[2] == {"module.weight", "module.bias"}
    assert {"module.layer.weight", "module.layer.bias"} <= names[1]


def test_names_do_not_depend_on_what_else_was_traced() -> None:
    swap = Swap()
    (first, _), (_, second) = (
        trace_bodies([TWO, ONE], [swap, nn.Linear(3, 3)], [[ROW, ROW], [ROW]]),
        trace_bodies([ONE, TWO], [nn.Linear(3, 3), swap], [[ROW], [ROW, ROW]]),
    )
    assert [node.name for node in first.graph.node] == [node.name for node in second.graph.node]


def test_a_body_that_cannot_be_written_is_named_among_others() -> None:
    bad = Node(name="bad", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,))
    with pytest.raises(ExportError, match="body of 'bad' cannot be written"):
        trace_bodies([ONE, bad], [nn.Linear(3, 3), Refused()], [[ROW], [ROW]])
