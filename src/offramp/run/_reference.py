"""The reference interpreter: one sample at a time, node by node, without torch; the oracle of every other runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from offramp.errors import GraphError, ThresholdError
from offramp.graph import Graph, Node

from ._runtime import Answer
from ._samples import bind, check_rows

Array = np.ndarray[Any, np.dtype[Any]]  # any shape, any dtype
_Values = dict[str, tuple[Array, ...] | None]


def run_reference(graph: Graph, inputs: Mapping[str, Array], thresholds: Array | None = None) -> Answer:
    """Answers of a graph whose bodies take and give NumPy arrays, sample by sample.

    The semantics in its plainest form: every node is visited in graph order and runs if its control edge is open and
    none of its inputs is null. No gate stops a sample whose inputs are not all finite.

    Args:
        graph: A graph whose bodies are called with a leading axis of 1.
        inputs: Arrays by name of the input node, batch axis first.
        thresholds: One threshold per threshold gate, in graph order.

    Returns:
        One row per sample: logits, the exit that answered, the score of its gate, and the edges that opened.

    Raises:
        ThresholdError: Not as many thresholds as gates, or one is NaN.
        DataError: Inputs are missing, unknown, or have unequal numbers of rows.
        GraphError: All inputs of a select are null for some sample, or a body is missing.

    Example:
        >>> import numpy as np
        >>> from offramp.graph import DataEdge, Graph, Node, Tensor
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,))
        >>> graph = Graph(nodes=(x, net), answer="net", bodies={"net": lambda x: 2 * x})
        >>> run_reference(graph, {"x": np.ones((1, 2), np.float32)}).logits
        array([[2., 2.]], dtype=float32)
    """
    limits = check_thresholds(thresholds, len(graph.gates))
    given = bind(inputs, [node.name for node in graph.inputs])
    rows = check_rows(given)
    answers = [
        _run_sample(graph, {name: array[at : at + 1] for name, array in given.items()}, limits) for at in range(rows)
    ]
    classes = graph[graph.answer].outputs[0].shape[0]
    return Answer(
        logits=np.array([answer[0] for answer in answers], np.float32).reshape(rows, classes),
        exit=np.array([answer[1] for answer in answers], np.int64),
        score=np.array([answer[2] for answer in answers], np.float32),
        route=np.array([answer[3] for answer in answers], np.int64).reshape(rows, len(graph.controls)),
    )


def check_thresholds(thresholds: Array | None, gates: int) -> Array:
    """The thresholds as float32, one per gate.

    Args:
        thresholds: One number per threshold gate in graph order; None for none.
        gates: Number of threshold gates.

    Returns:
        The numbers [T] in float32.

    Raises:
        ThresholdError: Their number is wrong, or one is NaN.
    """
    given = np.asarray([] if thresholds is None else thresholds, np.float32)
    if given.shape != (gates,):
        raise ThresholdError(
            f"expected {gates} thresholds, one per gate, got shape {given.shape}: give them in graph order."
        )
    if any(value != value for value in given.tolist()):  # NaN; a few numbers, in every call
        raise ThresholdError(
            f"thresholds must be numbers, but entry {int(np.isnan(given).argmax())} is NaN: give a score."
        )
    return given


def _run_sample(graph: Graph, sample: Mapping[str, Array], thresholds: Array) -> tuple[Array, int, float, list[int]]:
    values: _Values = {}
    opened: dict[str, bool] = {}  # nodes with a control edge: is it open?
    routes: list[int] = []
    score, taken, gates = 1.0, {}, 0
    finite = all(bool(np.isfinite(array).all()) for array in sample.values())
    for node in graph.nodes:
        values[node.name] = None
        given = _gather(graph, node, values)
        ready = opened.get(node.name, True) and all(value is not None for value in given)
        if node.kind == "input":
            values[node.name] = (sample[node.name],)
        elif node.kind == "function" and ready:
            values[node.name] = _as_tuple(_body(graph, node)(*given))
        elif node.kind == "select":
            taken[node.name] = next((at for at, value in enumerate(given) if value is not None), -1)
            chosen = given[taken[node.name]]
            values[node.name] = None if chosen is None else (chosen,)
        elif node.kind == "control":
            route = len(node.edges)
            if ready:
                limit = thresholds[gates] if node.gate else None
                route = _decide(graph, node, given, limit) if finite or not node.gate else 1
                if node.gate and route == 0:
                    score = float(given[0].reshape(()))  # type: ignore[union-attr]  # ready: not null
            opened |= {target: index == route for index, target in enumerate(node.edges)}
            routes.append(route)
            gates += node.gate is not None
    logits = values[graph.answer]
    if logits is None:
        raise GraphError(f"all inputs of {graph.answer!r} are null for a sample: add an input that always runs.")
    return logits[0][0], _exit(graph, taken), score, routes


def _gather(graph: Graph, node: Node, values: _Values) -> list[Array | None]:
    """What a node reads: the value, its edge's fill where it is null, None where there is no default."""
    given: list[Array | None] = []
    for edge in node.inputs:
        source = values[edge.source]
        if source is not None:
            given.append(source[edge.output])
        elif edge.default is None:
            given.append(None)
        else:
            tensor = graph[edge.source].outputs[edge.output]
            given.append(np.full((1, *tensor.shape), edge.default, tensor.dtype))
    return given


def _decide(graph: Graph, node: Node, given: list[Any], threshold: Any) -> int:  # Any: arrays, a number for a gate
    """Index of the edge that opens: the highest score's, ties to the lower index, NaN never stops."""
    if node.gate is not None:
        score = np.float32(given[0].reshape(()))
        stops = score >= threshold if node.gate.direction == "higher" else score < threshold
        return 0 if stops else 1
    scores = np.asarray(_body(graph, node)(*given), np.float32).reshape(-1)
    return int(np.argmax(np.where(np.isnan(scores), -np.inf, scores)))


def _exit(graph: Graph, taken: Mapping[str, int]) -> int:
    answer = graph[graph.answer]
    if answer.kind != "select":
        return 0
    return [exit.name for exit in graph.exits].index(answer.inputs[taken[answer.name]].source)


def _body(graph: Graph, node: Node) -> Any:  # Any: bodies are opaque
    if node.name not in graph.bodies:
        raise GraphError(f"{node.name!r} has no body to run: give one with graph.with_bodies({{{node.name!r}: ...}}).")
    return graph.bodies[node.name]


def _as_tuple(result: Any) -> tuple[Array, ...]:  # Any: one array or a tuple of them
    return tuple(result) if isinstance(result, tuple | list) else (result,)
