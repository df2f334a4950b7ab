"""Makes residual additions fusible for ONNX Runtime on the CPU.

ONNX Runtime folds an addition into the convolution before it only where both sides are in its blocked layout, and a
chain of residual blocks enters that layout through a convolution alone. If the first shortcut comes from the input of
the graph, a Gather or a Pad, not one block of the chain is folded. A depthwise 1x1 convolution by one in front of that
shortcut changes no number and lets all of them be folded; findings/ at the root of the repository shows both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

BLOCK = 16  # channels of a block where blocks are widest; a depthwise convolution needs a multiple
# These keep the layout of what they read.
KEEPING = frozenset(
    ("Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "Tanh", "BatchNormalization", "MaxPool", "AveragePool",
     "GlobalAveragePool", "GlobalMaxPool")
)  # fmt: skip
LAYERS = frozenset(("Relu", "LeakyRelu", "Clip", "BatchNormalization"))  # between two additions of a chain


def make_fusible(model: ModelProto) -> int:
    """Put a convolution by one in front of each shortcut that keeps a residual chain from being folded.

    Args:
        model: Is changed: graph and bodies of `If`s.

    Returns:
        How many were put in.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    return sum(
        _Entries(graph, shaped).open()
        for graph, shaped in zip(_graphs(model.graph), _graphs(inferred.graph), strict=True)
    )


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """A graph and all graphs inside it, in one order."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


class _Entries:
    """One graph, and which of its values are in the blocked layout."""

    def __init__(self, graph: GraphProto, shaped: GraphProto) -> None:
        self._graph = graph
        self._shapes = {value.name: value for value in (*shaped.input, *shaped.value_info, *shaped.output)}
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._readers: Mapping[str, list[NodeProto]] = _readers(graph)
        self._blocked: set[str] = set()
        self._entries: dict[str, NodeProto] = {}

    def open(self) -> int:
        """Add what is missing; gives how many."""
        nodes: list[NodeProto] = []
        for node in self._graph.node:
            entry = self._enter(node) if node.op_type == "Add" else None
            nodes += [] if entry is None else [entry]
            nodes.append(node)
            if self._is_blocked(node):
                self._blocked.update(node.output)
        if self._entries:
            del self._graph.node[:]
            self._graph.node.extend(nodes)
        return len(self._entries)

    def _is_blocked(self, node: NodeProto) -> bool:
        if node.op_type == "Conv":
            return self._width(node.output[0]) > 0 and node.input[1] in self._weights
        if node.op_type in KEEPING:
            return node.input[0] in self._blocked
        return node.op_type in ("Add", "Concat") and all(name in self._blocked for name in node.input)

    def _enter(self, node: NodeProto) -> NodeProto | None:
        """The convolution in front of an addition's shortcut, if it needs one that is not there yet."""
        outside = [at for at, name in enumerate(node.input) if name not in self._blocked]
        if len(outside) != 1:
            return None
        shortcut = node.input[outside[0]]
        other = node.input[1 - outside[0]]
        width = self._width(shortcut)
        if not width or shortcut in self._weights or width != self._width(other) or not self._begins_chain(node):
            return None
        new = None
        if shortcut not in self._entries:
            new = self._entries[shortcut] = self._convolution(shortcut, width)
        node.input[outside[0]] = self._entries[shortcut].output[0]
        self._blocked.add(self._entries[shortcut].output[0])
        return new

    def _convolution(self, shortcut: str, width: int) -> NodeProto:
        ones = numpy_helper.from_array(np.ones((width, 1, 1, 1), np.float32), f"{shortcut}/by_one")
        self._graph.initializer.append(ones)
        return helper.make_node(
            "Conv", [shortcut, ones.name], [f"{shortcut}/blocked"], name=f"{shortcut}/entry", group=width
        )

    def _begins_chain(self, node: NodeProto) -> bool:
        """Whether the sum is the shortcut of a later addition: then more than one is folded for one convolution."""
        pending = [node.output[0]]
        while pending:
            for reader in self._readers[pending.pop()]:
                if reader.op_type == "Add":
                    return True
                if reader.op_type in LAYERS:
                    pending.append(reader.output[0])
        return False

    def _width(self, name: str) -> int:
        """Channels of a map of floats, if they make whole blocks; else 0."""
        value = self._shapes.get(name)
        if value is None or value.type.tensor_type.elem_type != TensorProto.FLOAT:
            return 0
        dims = value.type.tensor_type.shape.dim
        width = dims[1].dim_value if len(dims) == 4 else 0
        return width if width % BLOCK == 0 else 0


def _readers(graph: GraphProto) -> Mapping[str, list[NodeProto]]:
    readers: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    return readers
