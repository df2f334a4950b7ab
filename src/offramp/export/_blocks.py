"""A plan as ONNX: every region is one `If(any row)` that gathers what it reads and scatters what leaves it.

Beside the values a trail goes through all blocks, from which the outputs `exit`, `score` and `route` follow.

What leaves an `If` has one row per sample of the batch, however few rows went in, and no size within a block depends on
a number that was computed. With a fixed batch OpenVINO 2026.4 then knows how large everything can get and plans its
memory beforehand. Where it does not know, tensors share memory that grows while it is in use, and what waits behind an
`If` reads garbage: without this rule in 8 of 2,400 calls of random graphs with a fixed batch, with it in none. With a
free batch chains are right, but 1 of 200 graphs with alternatives was not on its first call: fix the batch there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from offramp.graph import Block, Graph, Merge, Node, NodeCall, Tensor, Value, Write

from ._body import inline_body
from ._frame import Frame
from ._scope import Scope
from ._sound import spoil
from ._trail import Trail

ELEMENT = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Names in the main graph that the bodies of all `If`s see; "" where nothing needs them.

    Attributes:
        thresholds: [T].
        samples: [1] int64 their number.
        zeros: [samples] int64.
        taint: [samples] 0, or NaN where an input of the sample is not finite.
    """

    thresholds: str = ""
    samples: str = ""
    zeros: str = ""
    taint: str = ""


class Emitter:
    """Writes blocks; the bodies come traced, by name of their node."""

    def __init__(
        self, graph: Graph, bodies: Mapping[str, onnx.ModelProto], common: Common, *, trail: Trail | None = None
    ) -> None:
        self._graph = graph
        self._bodies = bodies
        self._common = common
        self._trail = trail  # None: no block runs
        self._gate_index = {gate.name: at for at, gate in enumerate(graph.gates)}

    @property
    def trail(self) -> Trail:
        """What blocks tell of their rows."""
        assert self._trail is not None, "only a network that runs everything for every sample has none"
        return self._trail

    def run(self, root: Block, frame: Frame, rows: str) -> None:
        """Add all steps, and the outputs that follow from the trail."""
        self.trail.start(frame, lambda row, frame: self._fill(row, frame.scope))
        self.run_block(root, frame)
        self.trail.finish(frame, rows, lambda edges: self.mask(edges, frame))

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

    def judge(self, score: Value, frame: Frame) -> str:
        """The score of each row; NaN where an input of the sample is not finite."""
        known = frame.values[score]
        return spoil(known, self._common.taint, frame) if self._common.taint else known

    # Blocks ----------------------------------------------------------------------------------------------------------

    def _enter(self, block: Block, frame: Frame) -> None:
        scope, name = frame.scope, frame.scope.fresh("/".join(f"{control}:{index}" for control, index in block.guard))
        mask = self.mask(block.guard, frame)
        count = scope.add("ReduceSum", [scope.add("Cast", [mask], to=TensorProto.INT32)], keepdims=0)
        condition = scope.add("Greater", [count, scope.constant(np.array(0, np.int32))])
        targets = [frame.scope.fresh(write.target.node) for write in block.writes]
        trail = tuple(scope.fresh("trace") for _ in self.trail.blank) if block.controls else ()
        scope.nodes.append(
            helper.make_node(
                "If", [condition], [*targets, *trail], name=name,
                then_branch=self._then(block, frame, mask, name), else_branch=self._else(block, frame, name),
            )
        )  # fmt: skip
        for write, target in zip(block.writes, targets, strict=True):
            frame.values[write.target] = self._own(target, frame)
        frame.trail = tuple(self._own(one, frame) for one in trail) or frame.trail

    def _own(self, value: str, frame: Frame) -> str:
        """The frame's rows of what an `If` gave: a copy, because OpenVINO lets others write into the `If`'s memory."""
        # In the main graph anew for each: what a stage of `run.onnx` gives another must not be made by Range, because
        # ONNX Runtime up to 1.28 optimizes Gather(x, Range) and forgets that Range is an output too.
        if not frame.order or frame.root:
            frame.order = self._order(frame)
        return frame.scope.add("Gather", [value, frame.order], axis=0)

    def _order(self, frame: Frame) -> str:
        """As the frame's index, computed anew: OpenVINO waits there for all that came before."""
        scope = frame.scope
        zero = scope.constant(np.array(0, np.int64))
        if frame.root:
            one = scope.constant(np.array(1, np.int64))
            return scope.add("Range", [zero, scope.add("Squeeze", [self._common.samples]), one])
        everyone = scope.add("GreaterOrEqual", [frame.index, zero])
        order = scope.add("Reshape", [scope.add("NonZero", [everyone]), scope.shape(-1)])
        return scope.add("Gather", [frame.index, order], axis=0)

    def _fill(self, row: NDArray[Any], scope: Scope) -> str:  # Any: any element type
        """The same row [1, ...] for every sample."""
        return scope.add("Gather", [scope.constant(row), self._common.zeros], axis=0)

    def mask(self, edges: Sequence[tuple[str, int]], frame: Frame) -> str:
        """Rows on which all these control edges are open."""
        scope = frame.scope
        parts = [self._open(edge, frame) for edge in edges]
        mask = parts[0]
        for part in parts[1:]:
            mask = scope.add("And", [mask, part])
        return mask

    def _open(self, edge: tuple[str, int], frame: Frame) -> str:
        """Rows on which a control edge is open: known of this block's own gates, else by the trail."""
        if edge in frame.masks:
            return frame.masks[edge]
        scope, (control, index) = frame.scope, edge
        route = frame.routes.get(control)
        if route is None:
            route = self.trail.route(control, frame)
        return scope.add("Equal", [route, scope.constant(np.array(index, np.float32))])

    def _then(self, block: Block, frame: Frame, mask: str, name: str) -> onnx.GraphProto:
        scope = frame.scope.inner(f"{name}/then")
        row = scope.add("Reshape", [scope.add("NonZero", [mask]), scope.shape(-1)])
        index = scope.add("Gather", [frame.index, row], axis=0) if not frame.root else row
        inner = Frame(scope=scope, index=index, values=self._shared(frame))
        inner.values |= {value: scope.add("Gather", [frame.values[value], row], axis=0) for value in block.reads}
        if self.trail.gathered and (block.controls or block.routes):
            inner.trail = tuple(scope.add("Gather", [one, row], axis=0) for one in frame.trail)
        self.run_block(block, inner)
        leaving = [inner.values[write.source] for write in block.writes]
        leaving += inner.trail if block.controls else ()
        places = scope.add("Unsqueeze", [index, scope.shape(1)])
        results = [
            scope.add("ScatterND", [base, places, value])
            for base, value in zip(self._bases(block, frame, scope), leaving, strict=True)
        ]
        return scope.graph([], self._declare(block, results))

    def _else(self, block: Block, frame: Frame, name: str) -> onnx.GraphProto:
        scope = frame.scope.inner(f"{name}/else")
        return scope.graph([], self._declare(block, self._bases(block, frame, scope)))

    def _shared(self, frame: Frame) -> dict[Value, str]:
        return {value: name for value, name in frame.values.items() if not self._tensor(value).row_wise}

    def _tensor(self, value: Value) -> Tensor:
        return self._graph[value.origin].outputs[value.output]

    def _bases(self, block: Block, frame: Frame, scope: Scope) -> list[str]:
        """What the rows of a block are scattered over: the earlier answer or trail, or nothing but fills."""
        bases = [self._base(write, frame, scope) for write in block.writes]
        if block.controls:
            known = zip(frame.trail, self.trail.blank, strict=True)
            bases += [self._spread(one, blank, frame, scope) for one, blank in known]
        return bases

    def _base(self, write: Write, frame: Frame, scope: Scope) -> str:
        tensor = self._tensor(write.target)
        row = np.full((1, *tensor.shape), write.target.fill or 0, tensor.dtype)
        if write.over is None:
            return self._fill(row, scope)
        return self._spread(frame.values[write.over], row, frame, scope)

    def _spread(self, value: str, row: NDArray[Any], frame: Frame, scope: Scope) -> str:  # Any: any element type
        """A tensor with a row per row of the frame as one with a row per sample."""
        if frame.root:
            return scope.add("Identity", [value])
        places = scope.add("Unsqueeze", [frame.index, scope.shape(1)])
        return scope.add("ScatterND", [self._fill(row, scope), places, value])

    def _declare(self, block: Block, names: Sequence[str]) -> list[onnx.ValueInfoProto]:
        """Types of a branch's outputs."""
        tensors = [self._tensor(write.target) for write in block.writes]
        declared = [
            helper.make_tensor_value_info(name, ELEMENT[tensor.dtype], [None, *tensor.shape])
            for name, tensor in zip(names, tensors, strict=False)
        ]
        blanks = self.trail.blank if block.controls else ()
        return declared + [
            helper.make_tensor_value_info(name, ELEMENT[blank.dtype.name], [None, *blank.shape[1:]])
            for name, blank in zip(names[len(tensors) :], blanks, strict=True)
        ]

    # Steps -----------------------------------------------------------------------------------------------------------

    def _compare(self, step: NodeCall, frame: Frame) -> None:
        """A threshold gate: route 0 (stop) if the score passes, else 1; NaN compares false and goes on."""
        scope, node = frame.scope, step.node
        score = self.judge(step.inputs[0], frame)
        position = scope.constant(np.array(self._gate_index[node.name], np.int64))
        limit = scope.add("Gather", [self._common.thresholds, position], axis=0)
        assert node.gate is not None, "called for threshold gates"
        # Not GreaterOrEqual: with NaN on its left side OpenVINO 2026.4 calls that true on the CPU, and NaN must go on.
        higher = node.gate.direction == "higher"
        stops = scope.add("LessOrEqual", [limit, score]) if higher else scope.add("Less", [score, limit])
        goes = scope.add("Not", [stops])
        frame.masks |= {(node.name, 0): stops, (node.name, 1): goes}
        self.trail.compare(node, stops, goes, score, frame)

    def _choose(self, step: NodeCall, frame: Frame) -> None:
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
        self.trail.choose(node, frame.routes[node.name], frame)

    def _merge(self, step: Merge, frame: Frame) -> str:
        scope = frame.scope
        merged = frame.values[step.sources[-1]]
        rank = len(self._tensor(step.target).shape)
        for source, mask in list(zip(step.sources, step.masks, strict=True))[:-1][::-1]:
            present = self.mask(mask, frame)
            column = scope.add("Unsqueeze", [present, scope.shape(*range(1, rank + 1))]) if rank else present
            merged = scope.add("Where", [column, frame.values[source], merged])
        return merged
