"""The exported file, run by the bare engines, against the reference interpreter."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from google.protobuf.message import Message  # type: ignore[import-untyped]  # ships no types
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, version_converter

from examples import some
from graphs import STOP_HIGH, STOP_LOW, make_chain, random_graphs, with_numpy_bodies
from offramp import attach
from offramp.errors import ExportError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph, Node
from offramp.run import run_reference
from quantized import make_small

NAMES = ["logits", "exit", "score", "route"]
GATES = {"higher": STOP_HIGH, "lower": STOP_LOW}


class Onnxruntime:
    """A session of ONNX Runtime."""

    def __init__(self, model: bytes) -> None:
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def __call__(self, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        return list(self._session.run(NAMES, feed))


class Openvino:
    """A model compiled by OpenVINO."""

    def __init__(self, model: bytes) -> None:
        core = openvino.Core()
        self._compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def __call__(self, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        results = self._compiled(feed)
        return [np.array(results[name]) for name in NAMES]  # copies: the memory is the compiled model's


ENGINES: dict[str, Any] = {"onnxruntime": Onnxruntime, "openvino": Openvino}


@cache
def chain(gate: str) -> Graph:
    return make_chain(2, GATES[gate], seed=3)


@cache
def written_chain(gate: str) -> bytes:
    """Once per kind of gate: tracing the bodies takes seconds."""
    return export_onnx.to_model(chain(gate)).SerializeToString()  # type: ignore[no-any-return]  # layers and arrays tell no type


@cache
def loaded_chain(gate: str, engine: str) -> Any:  # Any: one of ENGINES
    return ENGINES[engine](written_chain(gate))


def compare(graph: Graph, run: Any, rows: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.integers(-8, 9, (rows, 3)).astype(np.float32)
    thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
    expected = run_reference(with_numpy_bodies(graph), {"x": x}, thresholds)
    got = run({"x": x, "thresholds": thresholds} if graph.gates else {"x": x})
    for name, value in zip(NAMES, got, strict=True):
        np.testing.assert_array_equal(value, getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize("rows", [0, 1, 3, 64])
@pytest.mark.parametrize("gate", list(GATES))
def test_the_file_of_a_chain_equals_the_reference(engine: str, rows: int, gate: str) -> None:
    compare(chain(gate), loaded_chain(gate, engine), rows, seed=rows)


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize("gate", list(GATES))
def test_one_file_takes_any_thresholds(engine: str, gate: str) -> None:
    x = np.random.default_rng(1).integers(-8, 9, (9, 3)).astype(np.float32)
    run, first, last = loaded_chain(gate, engine), GATES[gate].stop_all, GATES[gate].stop_none
    exits = {limit: run({"x": x, "thresholds": np.full(2, limit, np.float32)})[1] for limit in (first, last)}
    assert exits[first].tolist() == [0] * 9
    assert exits[last].tolist() == [2] * 9


@settings(
    deadline=None, max_examples=4, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(graph=random_graphs(), seed=st.integers(0, 99))
def test_the_file_of_any_graph_equals_the_reference(graph: Graph, seed: int) -> None:
    model = export_onnx.to_model(graph).SerializeToString()
    for engine in ENGINES.values():
        compare(graph, engine(model), 5, seed)


@pytest.mark.slow
@settings(deadline=None, max_examples=some(30), phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graph=random_graphs(), seed=st.integers(0, 99), rows=st.sampled_from([0, 1, 5]))
def test_the_file_of_many_graphs_equals_the_reference(graph: Graph, seed: int, rows: int) -> None:
    model = export_onnx.to_model(graph).SerializeToString()
    for engine in ENGINES.values():
        compare(graph, engine(model), rows, seed)


@pytest.mark.parametrize("dense", [False, True])
@settings(deadline=None, max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graph=random_graphs())
def test_a_pass_that_changes_nothing_changes_nothing(dense: bool, graph: Graph) -> None:
    seen: list[str] = []

    def identity(node: Any, body: Any) -> Any:
        seen.append(node.name)
        return body

    wanted = export_onnx.to_model(graph, dense=dense)
    got = export_onnx.to_model(graph, dense=dense, stage_pass=identity)
    assert got.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)
    assert len(seen) == len(set(seen))


def test_a_pass_sees_every_body_once_and_what_it_gives_is_written() -> None:
    graph, changed = make_chain(1), []

    def mark(node: Any, body: Any) -> Any:
        changed.append(node.name)
        copied = type(body)()
        copied.CopyFrom(body)
        copied.graph.node[0].name = "passed"
        return copied

    model = export_onnx.to_model(graph, dense=True, stage_pass=mark)
    assert {f"{name}/passed" for name in changed} <= {node.name for node in model.graph.node}
    assert set(changed) == {node.name for node in graph.nodes if node.kind == "function"}


def test_copies_of_bodies_are_traced_once_and_changed_ones_again(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[str] = []
    trace = export_onnx.trace_bodies  # type: ignore[attr-defined]  # where it is used

    def noted(nodes: Sequence[Node], *more: Any) -> list[onnx.ModelProto]:
        traced.extend(node.name for node in nodes)
        return trace(nodes, *more)

    monkeypatch.setattr(export_onnx, "trace_bodies", noted)
    graph, traces = make_chain(1), {}  # type: ignore[var-annotated]  # as it is at run time
    first = export_onnx.to_model(graph, traces=traces)
    again = export_onnx.to_model(graph.with_bodies(copy.deepcopy(dict(graph.bodies))), traces=traces)
    assert traced == ["stage0", "exit0/head", "exit0/score", "stage1"]
    assert first == again
    with torch.no_grad():
        graph.bodies["stage1"].bias += 1  # type: ignore[attr-defined]  # a Mix
    other = export_onnx.to_model(graph, traces=traces)
    assert traced[4:] == ["stage1"]
    assert other != first


def test_a_pass_that_renames_what_a_body_reads_is_refused() -> None:
    def rename(node: Any, body: Any) -> Any:
        copied = type(body)()
        copied.CopyFrom(body)
        copied.graph.input[0].name = "another"
        return copied

    with pytest.raises(ExportError, match="keep the inputs"):
        export_onnx.to_model(make_chain(1), stage_pass=rename)


def test_a_pass_that_gives_another_opset_is_refused() -> None:
    def convert(node: Any, body: Any) -> Any:
        return version_converter.convert_version(body, 19)

    with pytest.raises(ExportError, match=r"must give opset 18, but made .* in \[19\]"):
        export_onnx.to_model(make_chain(1), stage_pass=convert)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("kind", ["exits", "no exits", "choices", "int8"])
def test_the_file_asks_for_no_newer_reader_than_its_opset_does(kind: str, dense: bool) -> None:
    make = {"exits": lambda: make_chain(2), "no exits": lambda: make_chain(0), "choices": make_choice}
    if kind == "int8":
        small = make_small()
        graph = small.quantized(small.graph)
    else:
        graph = make[kind]()
    model = export_onnx.to_model(graph, dense=dense)
    oldest = next(row for row in helper.VERSION_TABLE if row[2] == model.opset_import[0].version)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert model.ir_version == oldest[1] == 8
    assert not fields_of(model) & NEWER
    types = {tensor.data_type for tensor in tensors_of(model)}
    assert {TensorProto.FLOAT, TensorProto.INT64} <= types <= KNOWN_BY_IR_8


NEWER = {  # what IR 10 and later added: https://github.com/onnx/onnx/blob/main/onnx/onnx.in.proto
    "GraphProto.metadata_props", "NodeProto.metadata_props", "NodeProto.overload", "NodeProto.device_configurations",
    "TensorProto.metadata_props", "ValueInfoProto.metadata_props", "ModelProto.functions", "ModelProto.configuration",
}  # fmt: skip
KNOWN_BY_IR_8 = {
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.INT32,
    TensorProto.INT8, TensorProto.UINT8, TensorProto.BOOL,
}  # fmt: skip


def messages_of(message: Message) -> Iterator[Message]:
    """A message and all that are in it."""
    yield message
    for _, value in message.ListFields():
        several = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        for one in several:
            if isinstance(one, Message):
                yield from messages_of(one)


def fields_of(model: onnx.ModelProto) -> set[str]:
    return {
        f"{type(message).__name__}.{field.name}"
        for message in messages_of(model)
        for field, value in message.ListFields()
        if value
    }


def tensors_of(model: onnx.ModelProto) -> list[TensorProto]:
    return [message for message in messages_of(model) if isinstance(message, TensorProto)]


def make_choice() -> Graph:
    """A D2NN: a controller chooses one of two ways."""
    return attach.d2nn("q: x -> a, b\na: x | fc 8 | fc 3\nb: x | fc 3\nanswer: a or b", (4,))
