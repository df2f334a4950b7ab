"""Writes a graph as one ONNX file whose rows really leave, or as its dense twin that runs every exit for evidence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from torch import nn

from offramp.errors import ExportError, GraphError, OutputError
from offramp.graph import Graph, Node, Plan, Tensor, Value, name_score, plan
from offramp.run import data_file, fits_in_one_file

from ._blocks import ELEMENT, Common, Emitter
from ._body import OPSET, trace_body
from ._content import Content
from ._external import Sources, fill, move, weigh
from ._frame import Frame
from ._scope import Scope
from ._sound import find_taint
from ._trace import only_exit, trace_of

CARD_KEY = "offramp"
IR_VERSION = helper.find_min_ir_version_for([helper.make_opsetid("", OPSET)])  # the oldest: old runtimes read it too
Card = Mapping[str, Any]  # Any: JSON
# By content of a body, what it reads and how many outputs it has; objects that count by identity are kept.
Traces = dict[tuple[bytes, tuple[Tensor, ...], int], tuple[list[object], onnx.ModelProto]]
# Gives the model to inline instead of a traced body, whose inputs are `i0, i1, ...` and whose outputs `o0, o1, ...`.
StagePass = Callable[[Node, onnx.ModelProto], onnx.ModelProto]


def save(
    graph: Graph, path: str | Path, *, card: Card | None = None, dense: bool = False, traces: Traces | None = None,
    stage_pass: StagePass | None = None,
) -> Path:  # fmt: skip
    """Write a graph as one ONNX file (opset 18) that bare ONNX Runtime and OpenVINO run; gives its path.

    Weights of 2 GB or more, which no ONNX file can hold, go to `NAME.onnx.data` beside `NAME.onnx`.

    Inputs are the graph's, with a dynamic batch, and `thresholds` [T] if it has threshold gates. Outputs are `logits`
    [B, K], `exit` [B], `score` [B] and `route` [B, G]; of the dense file `exit_logits` [B, E, K] and one `scores/NAME`
    [B, N] per score. The metadata entry `offramp` holds the card as JSON.

    Samples whose inputs hold NaN or infinity have the score NaN, so that no gate stops them: no engine's own arithmetic
    shows that reliably.

    Args:
        graph: All bodies that its answer and control nodes depend on are `nn.Module`s.
        path: Written beside it first, then renamed.
        card: What else the metadata shall say: thresholds, engine, precision, guarantee.
        dense: Run every exit for every sample and ignore the gates.
        traces: Bodies that were traced already; those of this graph are added. Give the same dictionary to several
            calls for graphs with equal bodies, copies included, which saves seconds per body.
        stage_pass: Gives what is written instead of each traced body, such as `compress.quantize` makes it. `traces`
            hold the bodies as they were before.

    Raises:
        ExportError: A body has an operator that ONNX lacks, or the pass changed what it reads or gives.
        OutputError: The path cannot be written.
    """
    model, sources = _assemble(graph, card, dense, traces, stage_pass)
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if fits_in_one_file(weigh(model, sources)):
            scratch.write_bytes(_filled(model, sources).SerializeToString())
            scratch.replace(path)
        else:
            _save_in_two(model, sources, path, scratch)
    except OSError as error:
        raise OutputError(
            f"expected a place to write, but {path} cannot be written ({error.strerror}): choose another."
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    return path


def _save_in_two(model: onnx.ModelProto, sources: Sources, path: Path, scratch: Path) -> None:
    """Write the model, and its weights beside it; a killed process leaves no half of the old and half of the new."""
    folder = scratch.with_name(f"{scratch.name}.two")
    written, beside = folder / path.name, data_file(path)
    try:
        folder.mkdir()
        tag = move(model, folder / beside.name, beside.name, sources)
        _tell(model, {**_told(model), "data": tag})
        written.write_bytes(model.SerializeToString())
        _check(str(written))
        path.unlink(missing_ok=True)
        (folder / beside.name).replace(beside)
        written.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _filled(model: onnx.ModelProto, sources: Sources) -> onnx.ModelProto:
    """The model with its numbers, checked."""
    fill(model, sources)
    if fits_in_one_file(weigh(model)):  # the checker reads no more than protobuf can write
        _check(model)
    return model


def _tell(model: onnx.ModelProto, card: Card) -> None:
    helper.set_model_props(model, {CARD_KEY: json.dumps(card)})


def _told(model: onnx.ModelProto) -> Card:
    card: Card = json.loads(next(entry.value for entry in model.metadata_props if entry.key == CARD_KEY))
    return card


def _check(model: onnx.ModelProto | str) -> None:
    """Of a file that is named, the data beside it too."""
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ExportError(f"the file would not be valid ONNX ({error}): please report this graph.") from error


def to_model(
    graph: Graph, *, card: Card | None = None, dense: bool = False, traces: Traces | None = None,
    stage_pass: StagePass | None = None,
) -> onnx.ModelProto:  # fmt: skip
    """The ONNX model that `save` writes; arguments and errors as there."""
    return _filled(*_assemble(graph, card, dense, traces, stage_pass))


def _assemble(
    graph: Graph, card: Card | None, dense: bool, traces: Traces | None, stage_pass: StagePass | None
) -> tuple[onnx.ModelProto, Sources]:
    """The model with the names of its weights alone, and where these are."""
    route = None if dense else plan(graph)
    bodies = trace(graph, _functions(graph) if route is None else _called(route, graph), traces)
    made = {name: _passed(stage_pass, graph[name], body) if stage_pass else body for name, body in bodies.items()}
    scope = Scope("offramp")
    frame, inputs = _root(graph, scope)
    taint = find_taint(graph, scope) if graph.gates else ""
    if route is None:
        outputs = _dense(graph, frame, made, taint)
    else:
        inputs += (
            [helper.make_tensor_value_info("thresholds", TensorProto.FLOAT, [len(graph.gates)])] if graph.gates else []
        )
        outputs = _conditional(graph, route, frame, made, taint)
    model = helper.make_model(
        scope.graph(inputs, outputs), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="offramp",
    )  # fmt: skip
    _tell(model, {**describe(graph), **_way(graph, route), **(card or {})})
    return model, scope.sources


def describe(graph: Graph) -> dict[str, Any]:  # Any: JSON
    """What a runtime has to know of a graph: classes, exits, inputs and gates."""
    return {
        "format": 1,
        "classes": graph[graph.answer].outputs[0].shape[0],
        "exits": [exit.name for exit in graph.exits],
        "inputs": {
            node.name: {"shape": list(node.outputs[0].shape), "dtype": node.outputs[0].dtype} for node in graph.inputs
        },
        "controls": [{"name": node.name, "edges": list(node.edges)} for node in graph.controls],
        "gates": [
            {
                "name": node.name,
                "score": name_score(graph[node.inputs[0].source]),
                "direction": node.gate.direction,
                "stop_all": node.gate.stop_all,
                "stop_none": node.gate.stop_none,
            }
            for node in graph.gates
            if node.gate is not None
        ],
    }


def _way(graph: Graph, route: Plan | None) -> dict[str, Any]:  # Any: JSON
    """What a runtime has to know of the way that samples take; without a plan it is all of them."""
    if route is None or graph.controls:
        return {"dense": route is None}
    return {"dense": False, "only_exit": only_exit(route)}


def _root(graph: Graph, scope: Scope) -> tuple[Frame, list[onnx.ValueInfoProto]]:
    inputs, values = [], {}
    for node in graph.inputs:
        tensor = node.outputs[0]
        inputs.append(helper.make_tensor_value_info(node.name, ELEMENT[tensor.dtype], ["batch", *tensor.shape]))
        values[Value(node=node.name)] = node.name
    return Frame(scope=scope, values=values, root=True), inputs


def _count_samples(graph: Graph, scope: Scope) -> tuple[str, str]:
    """The number of samples as a list [1], and as many zeros if there are blocks that need them."""
    rows = scope.add("Shape", [graph.inputs[0].name], start=0, end=1)
    return rows, scope.add("Expand", [scope.constant(np.zeros(1, np.int64)), rows]) if graph.controls else ""


def trace(graph: Graph, nodes: Sequence[Node], traces: Traces | None = None) -> dict[str, onnx.ModelProto]:
    """The bodies of some nodes as ONNX models, by name: inputs are `i0, i1, ...` and outputs `o0, o1, ...`.

    Args:
        graph: Whose nodes these are.
        nodes: Function or control nodes with an `nn.Module`.
        traces: As for `save`.

    Raises:
        ExportError: A body has an operator that ONNX lacks.
        GraphError: A body is no `nn.Module`.
    """
    traces = {} if traces is None else traces
    bodies = {}
    for node in nodes:
        body = graph.bodies.get(node.name)
        if not isinstance(body, nn.Module):
            raise GraphError(
                f"expected an nn.Module as the body of {node.name!r}, got {type(body).__name__}: use with_bodies."
            )
        given = tuple(graph[edge.source].outputs[edge.output] for edge in node.inputs)
        content = Content(body)
        key = (content.digest, given, len(node.outputs))
        if key not in traces:
            traces[key] = (content.held, trace_body(node, body, given))
        bodies[node.name] = traces[key][1]
    return bodies


def _passed(stage_pass: StagePass, node: Node, body: onnx.ModelProto) -> onnx.ModelProto:
    """What a pass makes of a body, with the same inputs and outputs."""
    made = stage_pass(node, body)
    for port in ("input", "output"):
        before, after = ([value.name for value in getattr(one.graph, port)] for one in (body, made))
        if before != after:
            raise ExportError(
                f"a stage pass must keep the {port}s of {node.name!r}, {before}, but made {after}. Name them as before."
            )
    versions = [entry.version for entry in made.opset_import if entry.domain in ("", "ai.onnx")]
    if versions != [OPSET]:  # written as opset 18, its operators might mean something else
        raise ExportError(
            f"a stage pass must give opset {OPSET}, but made {node.name!r} in {versions}. Convert it with onnx."
        )
    return made


def _conditional(
    graph: Graph, route: Plan, frame: Frame, bodies: Mapping[str, onnx.ModelProto], taint: str
) -> list[onnx.ValueInfoProto]:
    rows, zeros = _count_samples(graph, frame.scope)
    common = Common(thresholds="thresholds", samples=rows, zeros=zeros, taint=taint)
    emitter = Emitter(graph, bodies, common, trace=trace_of(graph, route))
    emitter.run(route.root, frame, rows)
    scope, classes = frame.scope, graph[graph.answer].outputs[0].shape[0]
    logits = frame.values[route.answer]
    if graph.controls or not scope.rename(logits, "logits"):
        scope.add("Identity", [logits], output="logits")
    return [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes]),
        helper.make_tensor_value_info("exit", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"]),
        helper.make_tensor_value_info("route", TensorProto.INT64, ["batch", len(graph.controls)]),
    ]


def _functions(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.kind == "function"]


def _called(route: Plan, graph: Graph) -> list[Node]:
    """The nodes of a plan that have bodies, in graph order."""
    names: set[str] = set()
    pending = list(route.root.steps)
    while pending:
        step = pending.pop()
        if hasattr(step, "steps"):
            pending.extend(step.steps)
        elif hasattr(step, "node") and step.node.gate is None:
            names.add(step.node.name)
    return [node for node in graph.nodes if node.name in names]


def _dense(graph: Graph, frame: Frame, bodies: Mapping[str, onnx.ModelProto], taint: str) -> list[onnx.ValueInfoProto]:
    emitter = Emitter(graph, bodies, Common(taint=taint))
    for node in graph.nodes:
        given = [frame.values[Value(node=edge.source, output=edge.output)] for edge in node.inputs]
        if node.kind == "function":
            emitter.call(node, given, frame)
        elif node.kind == "select":  # everything ran: it takes what it prefers
            frame.values[Value(node=node.name)] = given[0]
    scope, classes = frame.scope, graph[graph.answer].outputs[0].shape[0]
    lifted = [scope.add("Unsqueeze", [frame.values[Value(node=exit.name)], scope.shape(1)]) for exit in graph.exits]
    scope.add("Concat", lifted, axis=1, output="exit_logits")
    outputs = [helper.make_tensor_value_info("exit_logits", TensorProto.FLOAT, ["batch", len(lifted), classes])]
    scores: dict[str, list[str]] = {}
    for exit in graph.exits:
        for name, node in exit.scores.items():
            scores.setdefault(name, []).append(emitter.judge(Value(node=node.name), frame))
    for name, columns in scores.items():
        parts = [scope.add("Unsqueeze", [column, scope.shape(1)]) for column in columns]
        scope.add("Concat", parts, axis=1, output=f"scores/{name}")
        outputs.append(helper.make_tensor_value_info(f"scores/{name}", TensorProto.FLOAT, ["batch", len(columns)]))
    return outputs
