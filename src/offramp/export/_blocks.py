"""A plan as ONNX: every region is one `If(any row)` that gathers what it reads and scatters what leaves it.

The trace is a matrix [rows, G + T] float32 that goes through all blocks: the edge that each control node opened, then
the score that each threshold gate compared. It begins as "did not run" and 1; a control node writes its columns, an
`If` scatters the rows that went in. (One output per control node, or columns joined where a block ends, was tried:
OpenVINO 2026.4 then lets a Concat write into the memory of an `If` whose size it does not know yet, and reads garbage.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper

from offramp.graph import Block, Graph, Merge, Node, Run, Tensor, Value, Write

from ._body import inline_body
from ._scope import Scope

ELEMENT = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}


@dataclass(slots=True)
class Frame:
    """The rows of one block in ONNX names.

    Attributes:
        scope: Where nodes are added.
        rows: A list [1] with the number of rows.
        values: Name of every value.
        trace: [rows, G + T] float32, or empty if the graph has no control nodes.
        routes: [rows] float32: the edge that a control node of this very block opened.
        order: 0, 1, ..., rows - 1 once something has asked for it.
    """

    scope: Scope
    rows: str
    values: dict[Value, str]
    trace: str = ""
    routes: dict[str, str] = field(default_factory=dict)
    order: str = ""


class Emitter:
    """Writes blocks; the bodies come traced, by name of their node."""

    def __init__(self, graph: Graph, bodies: Mapping[str, onnx.ModelProto], thresholds: str) -> None:
        self._graph = graph
        self._bodies = bodies
        self._thresholds = thresholds
        self._gate_index = {gate.name: at for at, gate in enumerate(graph.gates)}
        self._control_index = {control.name: at for at, control in enumerate(graph.controls)}
        self._columns = len(graph.controls) + len(graph.gates)

    def start_trace(self, frame: Frame) -> None:
        """Give the frame of all rows a trace in which nothing has run."""
        fills = [float(len(control.edges)) for control in self._graph.controls] + [1.0] * len(self._graph.gates)
        if fills:
            shape = frame.scope.add("Concat", [frame.rows, frame.scope.shape(len(fills))], axis=0)
            frame.trace = frame.scope.add("Expand", [frame.scope.constant(np.array([fills], np.float32)), shape])

    def run_block(self, block: Block, frame: Frame) -> None:
        """Add the steps of a block to its frame's scope."""
        for step in block.steps:
            if isinstance(step, Block):
                self._enter(step, frame)
            elif isinstance(step, Merge):
                frame.values[step.target] = self._merge(step, frame)
            elif step.node.gate is not None:
                self._compare(step, frame)
            elif step.node.kind == "control":
                self._choose(step, frame)
            else:
                self.call(step.node, [frame.values[value] for value in step.inputs], frame)

    def call(self, node: Node, inputs: Sequence[str], frame: Frame) -> None:
        """Inline a function node's body."""
        results = inline_body(frame.scope, node.name, self._bodies[node.name], inputs)
        frame.values |= {Value(node=node.name, output=at): result for at, result in enumerate(results)}

    # Blocks ----------------------------------------------------------------------------------------------------------

    def _enter(self, block: Block, frame: Frame) -> None:
        scope, name = frame.scope, frame.scope.fresh("/".join(f"{control}:{index}" for control, index in block.guard))
        mask = self.mask(block.guard, frame)
        count = scope.add("ReduceSum", [scope.add("Cast", [mask], to=TensorProto.INT32)], keepdims=0)
        condition = scope.add("Greater", [count, scope.constant(np.array(0, np.int32))])
        targets = [frame.scope.fresh(write.target.node) for write in block.writes]
        trace = scope.fresh("trace") if block.controls else ""
        scope.nodes.append(
            helper.make_node(
                "If", [condition], [*targets, *([trace] if trace else [])], name=name,
                then_branch=self._then(block, frame, mask, name), else_branch=self._else(block, frame, name),
            )
        )  # fmt: skip
        frame.values |= {
            write.target: self._own(name, frame) for write, name in zip(block.writes, targets, strict=True)
        }
        frame.trace = self._own(trace, frame) if trace else frame.trace

    def _own(self, value: str, frame: Frame) -> str:
        """A copy of what an `If` gave: OpenVINO 2026.4 reuses the memory of an `If` of a size not known before."""
        if not frame.order:
            scope = frame.scope
            count = scope.add("Squeeze", [frame.rows])
            zero, one = scope.constant(np.array(0, np.int64)), scope.constant(np.array(1, np.int64))
            frame.order = scope.add("Range", [zero, count, one])
        return frame.scope.add("Gather", [value, frame.order], axis=0)

    def mask(self, edges: Sequence[tuple[str, int]], frame: Frame) -> str:
        """Rows on which all these control edges are open."""
        scope = frame.scope
        parts = [
            scope.add("Equal", [self._route(control, frame), scope.constant(np.array(index, np.float32))])
            for control, index in edges
        ]
        mask = parts[0]
        for part in parts[1:]:
            mask = scope.add("And", [mask, part])
        return mask

    def _route(self, control: str, frame: Frame) -> str:
        """The edge that a control node opened: of this block as it is, of another from the trace."""
        if control in frame.routes:
            return frame.routes[control]
        scope = frame.scope
        zero = scope.constant(np.array(0, np.float32))
        column = scope.add("Where", [self._column(self._control_index[control], scope), frame.trace, zero])
        return scope.add("ReduceSum", [column, scope.shape(1)], keepdims=0)

    def _column(self, at: int, scope: Scope) -> str:
        return scope.constant(np.arange(self._columns)[None] == at)

    def _then(self, block: Block, frame: Frame, mask: str, name: str) -> onnx.GraphProto:
        scope = frame.scope.inner(f"{name}/then")
        index = scope.add("Reshape", [scope.add("NonZero", [mask]), scope.shape(-1)])
        places = scope.add("Unsqueeze", [index, scope.shape(1)])
        inner = Frame(scope=scope, rows=scope.add("Shape", [index]), values=self._shared(frame))
        inner.values |= {value: scope.add("Gather", [frame.values[value], index], axis=0) for value in block.reads}
        inner.trace = scope.add("Gather", [frame.trace, index], axis=0) if block.controls or block.routes else ""
        self.run_block(block, inner)
        results = []
        for write in block.writes:
            base = self._base(write, frame, scope)
            results.append(scope.add("ScatterND", [base, places, inner.values[write.source]]))
        if block.controls:
            results.append(scope.add("ScatterND", [frame.trace, places, inner.trace]))
        return scope.graph([], self._declare(block, results))

    def _else(self, block: Block, frame: Frame, name: str) -> onnx.GraphProto:
        scope = frame.scope.inner(f"{name}/else")
        results = [scope.add("Identity", [self._base(write, frame, scope)]) for write in block.writes]
        if block.controls:
            results.append(scope.add("Identity", [frame.trace]))
        return scope.graph([], self._declare(block, results))

    def _shared(self, frame: Frame) -> dict[Value, str]:
        return {value: name for value, name in frame.values.items() if not self._tensor(value).row_wise}

    def _tensor(self, value: Value) -> Tensor:
        return self._graph[value.origin].outputs[value.output]

    def _base(self, write: Write, frame: Frame, scope: Scope) -> str:
        """What a block's rows are scattered over: the earlier answer, or rows of nothing but the fill."""
        if write.over is not None:
            return frame.values[write.over]
        tensor = self._tensor(write.target)
        fill = scope.constant(np.full((1, *tensor.shape), write.target.fill or 0, tensor.dtype))
        shape = scope.add("Concat", [frame.rows, scope.shape(*tensor.shape)], axis=0) if tensor.shape else frame.rows
        return scope.add("Expand", [fill, shape])

    def _declare(self, block: Block, names: Sequence[str]) -> list[onnx.ValueInfoProto]:
        """Types of a branch's outputs."""
        tensors = [self._tensor(write.target) for write in block.writes]
        declared = [
            helper.make_tensor_value_info(name, ELEMENT[tensor.dtype], [None, *tensor.shape])
            for name, tensor in zip(names, tensors, strict=False)
        ]
        if block.controls:
            declared.append(helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, [None, self._columns]))
        return declared

    # Steps -----------------------------------------------------------------------------------------------------------

    def _compare(self, step: Run, frame: Frame) -> None:
        """A threshold gate: route 0 (stop) if the score passes, else 1; NaN compares false and goes on."""
        scope, node = frame.scope, step.node
        score = frame.values[step.inputs[0]]
        position = scope.constant(np.array(self._gate_index[node.name], np.int64))
        limit = scope.add("Gather", [self._thresholds, position], axis=0)
        assert node.gate is not None, "called for threshold gates"
        # Not GreaterOrEqual: with NaN on its left side OpenVINO 2026.4 calls that true on the CPU, and NaN must go on.
        higher = node.gate.direction == "higher"
        stops = scope.add("LessOrEqual", [limit, score]) if higher else scope.add("Less", [score, limit])
        route = scope.add("Cast", [scope.add("Not", [stops])], to=TensorProto.FLOAT)
        self._note(self._control_index[node.name], route, frame)
        self._note(len(self._graph.controls) + self._gate_index[node.name], score, frame)
        frame.routes[node.name] = route

    def _note(self, column: int, value: str, frame: Frame) -> None:
        """Write one number per row into a column of the trace."""
        scope = frame.scope
        lifted = scope.add("Unsqueeze", [value, scope.shape(1)])
        frame.trace = scope.add("Where", [self._column(column, scope), lifted, frame.trace])

    def _choose(self, step: Run, frame: Frame) -> None:
        """A controller: the edge of the highest score, ties to the lower index, NaN below everything."""
        scope, node = frame.scope, step.node
        given = [frame.values[value] for value in step.inputs]
        (scores,) = inline_body(scope, node.name, self._bodies[node.name], given)
        lowest = scope.constant(np.array(np.finfo(np.float32).min, np.float32))
        known = scope.add("Where", [scope.add("IsNaN", [scores]), lowest, scores])
        best = scope.add("ReduceMax", [known, scope.shape(1)], keepdims=1)
        numbers = scope.constant(np.arange(len(node.edges), dtype=np.float32)[None])
        beyond = scope.constant(np.array(len(node.edges), np.float32))
        tied = scope.add("Where", [scope.add("GreaterOrEqual", [known, best]), numbers, beyond])
        frame.routes[node.name] = scope.add("ReduceMin", [tied, scope.shape(1)], keepdims=0)
        self._note(self._control_index[node.name], frame.routes[node.name], frame)

    def _merge(self, step: Merge, frame: Frame) -> str:
        scope = frame.scope
        merged = frame.values[step.sources[-1]]
        rank = len(self._tensor(step.target).shape)
        for source, mask in list(zip(step.sources, step.masks, strict=True))[:-1][::-1]:
            present = self.mask(mask, frame)
            column = scope.add("Unsqueeze", [present, scope.shape(*range(1, rank + 1))]) if rank else present
            merged = scope.add("Where", [column, frame.values[source], merged])
        return merged
