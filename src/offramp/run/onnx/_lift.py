"""One ONNX file as a tree of segments: the nodes between two `If`s become models of their own.

ONNX Runtime does not optimize inside the bodies of an `If`; as models of their own they are optimized like any other.
Every segment reads what it captures from outside and gives what later segments or the caller read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper


@dataclass(frozen=True, slots=True)
class Segment:
    """A model that runs; `reads` and `gives` are names of values that all segments share."""

    model: ModelProto
    reads: tuple[str, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One of two sequences runs; what it calls `results` is then called `gives` outside."""

    condition: str
    then: tuple[Segment | Branch, ...]
    then_results: tuple[str, ...]
    otherwise: tuple[Segment | Branch, ...]
    otherwise_results: tuple[str, ...]
    gives: tuple[str, ...]


Steps = tuple[Segment | Branch, ...]


def lift(model: ModelProto) -> Steps:
    """The steps of a file: segments without `If`, and branches between them, in order."""
    inferred = onnx.shape_inference.infer_shapes(model)
    return _Lifter(inferred).steps(inferred.graph, [value.name for value in inferred.graph.output], {})


class _Lifter:
    def __init__(self, model: ModelProto) -> None:
        self._model = model

    def steps(self, graph: GraphProto, wanted: Sequence[str], outer: dict[str, ValueInfoProto | TensorProto]) -> Steps:
        """The steps of one graph; `outer` are the values and constants that it may capture, by name."""
        known = {**outer, **{value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}}
        known |= {constant.name: constant for constant in graph.initializer}
        groups = _split(graph.node)
        steps: list[Segment | Branch] = []
        for at, group in enumerate(groups):
            if isinstance(group, NodeProto):
                steps.append(self._branch(group, known))
                continue
            later = set(wanted)
            for other in groups[at + 1 :]:
                later |= _captured([other] if isinstance(other, NodeProto) else other)
            steps.append(self._segment(group, later, known))
        passed = [name for name in wanted if isinstance(known.get(name), TensorProto)]
        if passed:  # a branch that gives a constant
            steps.append(self._segment([], set(passed), known))
        return tuple(steps)

    def _branch(self, node: NodeProto, known: dict[str, ValueInfoProto | TensorProto]) -> Branch:
        bodies = {attribute.name: attribute.g for attribute in node.attribute}
        then, otherwise = bodies["then_branch"], bodies["else_branch"]
        results = [tuple(value.name for value in body.output) for body in (then, otherwise)]
        for name, value in zip(node.output, then.output, strict=True):
            known.setdefault(name, _named(value, name))
        return Branch(
            condition=node.input[0],
            then=self.steps(then, results[0], known),
            then_results=results[0],
            otherwise=self.steps(otherwise, results[1], known),
            otherwise_results=results[1],
            gives=tuple(node.output),
        )

    def _segment(
        self, nodes: Sequence[NodeProto], later: set[str], known: dict[str, ValueInfoProto | TensorProto]
    ) -> Segment:
        made = [name for node in nodes for name in node.output if name]
        captured = _captured(nodes)
        needed = captured if nodes else later
        constants = {name: value for name in sorted(needed) if isinstance(value := known.get(name), TensorProto)}
        given = [name for name in made if name in later] if nodes else list(constants)
        reads = sorted(captured - constants.keys())
        outputs = [_named(known.get(name), name) for name in given]
        graph = helper.make_graph(
            list(nodes), "stage", [_named(known[name], name) for name in reads], outputs, list(constants.values())
        )
        model = helper.make_model(graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version)
        return Segment(model, tuple(reads), tuple(given))


def _split(nodes: Iterable[NodeProto]) -> list[NodeProto | list[NodeProto]]:
    """Runs of plain nodes, and the `If`s between them."""
    groups: list[NodeProto | list[NodeProto]] = []
    for node in nodes:
        if node.op_type == "If":
            groups.append(node)
        elif groups and isinstance(groups[-1], list):
            groups[-1].append(node)
        else:
            groups.append([node])
    return groups


def _captured(nodes: Iterable[NodeProto]) -> set[str]:
    """Names that nodes, and the graphs inside them, read from outside."""
    made: set[str] = set()
    read: set[str] = set()
    for node in nodes:
        read |= {name for name in node.input if name and name not in made}
        for attribute in node.attribute:
            for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                own = {value.name for value in (*graph.input, *graph.initializer)}
                made_inside = {name for inner in graph.node for name in inner.output}
                ends = {value.name for value in graph.output} - made_inside
                read |= (_captured(graph.node) | ends) - own - made
        made |= set(node.output)
    return read


def _named(value: ValueInfoProto | TensorProto | None, name: str) -> ValueInfoProto:
    """The declaration of a value under a name; with a free shape, for a batch may be any."""
    assert isinstance(value, ValueInfoProto), f"no type known for {name}"
    element = value.type.tensor_type.elem_type
    dims = value.type.tensor_type.shape.dim if value.type.tensor_type.HasField("shape") else None
    shape = None if dims is None else [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
    return helper.make_tensor_value_info(name, element, shape)
