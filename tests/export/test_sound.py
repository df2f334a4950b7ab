"""Who is no number never leaves early, even where a pass made the bodies deaf to it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from graphs import STOP_HIGH, STOP_LOW, make_chain
from offramp.export import onnx as export_onnx
from offramp.export._scope import Scope
from offramp.export._sound import find_sound
from offramp.graph import DataEdge, Gate, Graph, Node, Tensor

WRONG = (np.nan, np.inf, -np.inf)


def deafen(node: Node, body: Any) -> Any:
    """A body that reads 0 where there is NaN or infinity, as one in 8 bits reads some number."""
    made = type(body)()
    made.CopyFrom(body)
    for at in made.graph.node:
        at.input[:] = ["heard" if name == "i0" else name for name in at.input]
    front = [
        helper.make_node("Sub", ["i0", "i0"], ["difference"], name="front0"),
        helper.make_node("Equal", ["difference", "nothing"], ["known"], name="front1"),
        helper.make_node("Where", ["known", "i0", "nothing"], ["heard"], name="front2"),
    ]
    nodes = [*front, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    made.graph.initializer.append(numpy_helper.from_array(np.zeros((), np.float32), "nothing"))
    return made


@cache
def written(gate: Gate) -> bytes:
    """A chain of deaf bodies; tracing takes seconds."""
    return export_onnx.to_model(make_chain(2, gate), stage_pass=deafen).SerializeToString()


@pytest.mark.parametrize("gate", [STOP_HIGH, STOP_LOW])
@pytest.mark.parametrize("wrong", WRONG)
def test_no_gate_stops_what_is_no_number(gate: Gate, wrong: float) -> None:
    x = np.arange(15, dtype=np.float32).reshape(5, 3)
    x[[1, 4], [0, 2]] = wrong
    thresholds = np.full(2, gate.stop_all, np.float32)
    thresholds[0] = gate.stop_none  # so that the second gate is inside an `If`
    session = onnxruntime.InferenceSession(written(gate), providers=["CPUExecutionProvider"])
    (exits,) = session.run(["exit"], {"x": x, "thresholds": thresholds})
    assert exits.tolist() == [1, 2, 1, 1, 2]


def test_of_tokens_nothing_is_asked() -> None:
    scope = Scope("test")
    tokens, logits = Tensor(shape=(4,), dtype="int64"), Tensor(shape=(2,))
    nodes = (
        Node(name="ids", kind="input", outputs=(tokens,)),
        Node(name="network", kind="function", inputs=(DataEdge(source="ids"),), outputs=(logits,)),
    )
    graph = Graph(nodes=nodes, answer="network")
    assert find_sound(graph, scope) == ""
    assert not scope.nodes
