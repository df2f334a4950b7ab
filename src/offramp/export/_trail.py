"""What a block tells its parent of the way that its rows took, and how the file's outputs follow from it.

In general it is a matrix: the edge that each control node opened, and the score that each threshold gate compared.
Where the gates stand one behind the other, as in an early-exit network, it is two numbers: how many gates a row passed,
and the score that stopped it. That spares a call at batch 1 much of its bookkeeping.

Shape letters: B samples, G control nodes, T threshold gates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from offramp.graph import Block, Graph, Node, NodeCall, Plan

from ._frame import Frame

Row = np.ndarray[Any, np.dtype[Any]]  # [1, ...] of any type
Fill = Callable[[Row, Frame], str]  # as many of it as samples
Mask = Callable[[Sequence[tuple[str, int]]], str]


class Trail(ABC):
    """The tensors that go through all blocks beside their values.

    Attributes:
        blank: For each tensor a row [1, ...] that stands where a block has no row.
        gathered: Whether a block needs what its rows brought.
    """

    blank: tuple[Row, ...]
    gathered: bool

    @abstractmethod
    def start(self, frame: Frame, fill: Fill) -> None:
        """Give the frame of all samples a trail in which nothing has run."""

    @abstractmethod
    def compare(self, gate: Node, stops: str, goes: str, score: str, frame: Frame) -> None:
        """Note what a threshold gate decided on the rows of a frame."""

    @abstractmethod
    def choose(self, control: Node, route: str, frame: Frame) -> None:
        """Note the edge [rows] float32 that a control node with a body opened."""

    @abstractmethod
    def route(self, control: str, frame: Frame) -> str:
        """[rows] float32: the edge that a control node of another block opened."""

    @abstractmethod
    def finish(self, frame: Frame, rows: str, mask: Mask) -> None:
        """Add the outputs `exit`, `score` and `route` to the frame of all samples; `rows` is their number, a list."""


def trail_of(graph: Graph, route: Plan) -> Trail:
    """The lightest one that tells enough."""
    if not graph.controls:
        return OnlyTrail(route)
    return PassedTrail(graph) if graph.gates and _is_chain(graph, route) else MatrixTrail(graph, route)


def _is_chain(graph: Graph, route: Plan) -> bool:
    """True if each gate stands in the only block that the gate before lets rows into; so does each exit's answer."""
    gates = [gate.name for gate in graph.gates]
    open_where: list[tuple[tuple[str, int], ...]] = [(), *(((gate, 1),) for gate in gates)]
    if [node.name for node in graph.controls] != gates or list(route.ranks) != list(range(len(gates) + 1))[::-1]:
        return False
    if list(route.exits) != open_where[::-1]:
        return False
    block: Block | None = route.root
    for gate in gates:
        steps: Sequence[object] = block.steps if block else ()
        inner = [step for step in steps if isinstance(step, Block)]
        here = [step.node.name for step in steps if isinstance(step, NodeCall) and step.node.kind == "control"]
        if here != [gate] or len(inner) != 1 or inner[0].guard != ((gate, 1),):
            return False
        block = inner[0]
    return block is not None and not block.controls


class PassedTrail(Trail):
    """Of gates one behind the other: how many a row passed, and the score that stopped it, else 1; both float32.

    OpenVINO computes what is float in one step; whole numbers that cross the border of an `If` take more.
    """

    def __init__(self, graph: Graph) -> None:
        self._gates = [gate.name for gate in graph.gates]
        self.blank = (np.zeros(1, np.float32), np.zeros(1, np.float32))
        self.gathered = False  # all rows of a block passed the same gates

    def start(self, frame: Frame, fill: Fill) -> None:
        pass  # the first gate runs for every sample

    def compare(self, gate: Node, stops: str, goes: str, score: str, frame: Frame) -> None:
        scope, at = frame.scope, self._gates.index(gate.name)
        passed = scope.add("Where", [stops, *(scope.constant(np.array([at + more], np.float32)) for more in (0, 1))])
        frame.trail = (passed, scope.add("Where", [stops, score, scope.constant(np.array([1], np.float32))]))

    def choose(self, control: Node, route: str, frame: Frame) -> None:
        raise AssertionError("a chain of gates has no control nodes with bodies")

    def route(self, control: str, frame: Frame) -> str:
        raise AssertionError("the gate of a chain's block stands in the block around it")

    def finish(self, frame: Frame, rows: str, mask: Mask) -> None:
        scope, (passed, score) = frame.scope, frame.trail
        taken = scope.add("Cast", [passed], to=TensorProto.INT64, output="exit")
        scope.add("Identity", [score], output="score")
        gate, count = np.arange(len(self._gates)), np.arange(len(self._gates) + 1)[:, None]
        table = np.where(count > gate, 1, np.where(count == gate, 0, 2))  # 2: did not run
        scope.add("Gather", [scope.constant(table.astype(np.int64)), taken], axis=0, output="route")


def only_exit(route: Plan) -> int:
    """The exit that every sample takes where there is no control node."""
    return next(rank for edges, rank in zip(route.exits, route.ranks, strict=True) if not edges)


class OnlyTrail(Trail):
    """Of a network without control nodes: there is nothing to tell, and the outputs are as good as constant.

    `ConstantOfShape`, because of an `Expand` to [B, 0] of a fixed B OpenVINO up to 2025.3 dies with the whole process.
    """

    def __init__(self, route: Plan) -> None:
        self._exit = only_exit(route)
        self.blank = ()
        self.gathered = False

    def start(self, frame: Frame, fill: Fill) -> None:
        pass  # nothing is noted

    def compare(self, gate: Node, stops: str, goes: str, score: str, frame: Frame) -> None:
        raise AssertionError("there is no gate")

    def choose(self, control: Node, route: str, frame: Frame) -> None:
        raise AssertionError("there is no control node")

    def route(self, control: str, frame: Frame) -> str:
        raise AssertionError("there is no control node")

    def finish(self, frame: Frame, rows: str, mask: Mask) -> None:
        scope = frame.scope
        shape = scope.add("Concat", [rows, scope.shape(0)], axis=0)
        for name, sizes, number in (
            ("exit", rows, np.array([self._exit], np.int64)),
            ("score", rows, np.ones(1, np.float32)),
            ("route", shape, np.zeros(1, np.int64)),
        ):
            scope.add("ConstantOfShape", [sizes], output=name, value=numpy_helper.from_array(number))


class MatrixTrail(Trail):
    """[rows, G + T] float32: the edge that each control node opened, then the score that each gate compared.

    It begins as "did not run" and 1; a control node writes its columns.
    """

    def __init__(self, graph: Graph, route: Plan) -> None:
        self._graph, self._plan = graph, route
        self._controls = [control.name for control in graph.controls]
        self._gates = [gate.name for gate in graph.gates]
        self._columns = len(self._controls) + len(self._gates)
        self.blank = (np.zeros((1, self._columns), np.float32),)
        self.gathered = True

    def start(self, frame: Frame, fill: Fill) -> None:
        fills = [float(len(control.edges)) for control in self._graph.controls] + [1.0] * len(self._gates)
        frame.trail = (fill(np.array([fills], np.float32), frame),)

    def compare(self, gate: Node, stops: str, goes: str, score: str, frame: Frame) -> None:
        route = frame.scope.add("Cast", [goes], to=TensorProto.FLOAT)
        self._note(self._controls.index(gate.name), route, frame)
        self._note(len(self._controls) + self._gates.index(gate.name), score, frame)

    def choose(self, control: Node, route: str, frame: Frame) -> None:
        self._note(self._controls.index(control.name), route, frame)

    def _note(self, column: int, value: str, frame: Frame) -> None:
        """Write one number per row into a column."""
        scope = frame.scope
        here = scope.constant(np.arange(self._columns)[None] == column)
        lifted = scope.add("Unsqueeze", [value, scope.shape(1)])
        frame.trail = (scope.add("Where", [here, lifted, *frame.trail]),)

    def route(self, control: str, frame: Frame) -> str:
        column = frame.scope.constant(np.array(self._controls.index(control), np.int64))
        return frame.scope.add("Gather", [*frame.trail, column], axis=1)

    def finish(self, frame: Frame, rows: str, mask: Mask) -> None:
        self._emit_route(frame, rows)
        self._emit_exit(frame, rows, mask)
        self._emit_score(frame, rows)

    def _emit_route(self, frame: Frame, rows: str) -> None:
        scope, count = frame.scope, len(self._controls)
        routes = scope.add("Gather", [*frame.trail, scope.shape(*range(count))], axis=1)
        scope.add("Cast", [routes], to=TensorProto.INT64, output="route")

    def _emit_exit(self, frame: Frame, rows: str, mask: Mask) -> None:
        """`exit`: the rank of the first input of select whose control edges are open; -1 if there is none."""
        scope = frame.scope
        taken = scope.add("Expand", [scope.constant(np.array([-1], np.int64)), rows])
        for edges, rank in list(zip(self._plan.exits, self._plan.ranks, strict=True))[::-1]:
            number = scope.constant(np.array([rank], np.int64))
            taken = scope.add("Where", [mask(edges), number, taken]) if edges else scope.add("Expand", [number, rows])
        scope.add("Identity", [taken], output="exit")

    def _emit_score(self, frame: Frame, rows: str) -> None:
        """`score`: of the last gate in graph order that stopped a row, else 1."""
        scope, names, count = frame.scope, self._controls, len(self._gates)
        one = scope.constant(np.array([1], np.float32))
        if not count:
            scope.add("Expand", [one, rows], output="score")
            return
        routes = scope.add("Gather", [*frame.trail, scope.shape(*(names.index(gate) for gate in self._gates))], axis=1)
        scores = scope.add("Gather", [*frame.trail, scope.shape(*range(len(names), len(names) + count))], axis=1)
        stopped = scope.add("Equal", [routes, scope.constant(np.array(0, np.float32))])
        order = scope.constant(np.arange(1, count + 1, dtype=np.float32)[None])
        ranked = scope.add("Where", [stopped, order, scope.constant(np.array(-1, np.float32))])
        last = scope.add("ReduceMax", [ranked, scope.shape(1)], keepdims=1)
        zero = scope.constant(np.array(0, np.float32))
        chosen = scope.add("Where", [scope.add("Equal", [order, last]), scores, zero])
        total = scope.add("ReduceSum", [chosen, scope.shape(1)], keepdims=0)
        found = scope.add("Greater", [scope.add("Squeeze", [last, scope.shape(1)]), zero])
        scope.add("Where", [found, total, one], output="score")
