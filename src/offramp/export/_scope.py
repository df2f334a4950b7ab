"""One ONNX graph under construction: the main graph or the body of an `If`, with names that are unique in the file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


class Scope:
    """Collects nodes and constants; an inner scope sees the names of the outer ones, as ONNX has it.

    Constants are kept in the scope that uses them: an engine only folds and packs weights that it sees as its own.
    """

    def __init__(
        self, name: str, counter: itertools.count[int] | None = None, sources: dict[str, TensorProto] | None = None
    ) -> None:
        self.name = name
        self.sources: dict[str, TensorProto] = {} if sources is None else sources  # of weights that are only named
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[TensorProto] = []
        self._counter = counter or itertools.count()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def inner(self, name: str) -> Scope:
        """A scope for the body of an `If`."""
        return Scope(name, self._counter, self.sources)

    def fresh(self, hint: str) -> str:
        """A name that nobody else has."""
        return f"{self.name}/{hint}_{next(self._counter)}"

    def add(self, op: str, inputs: Sequence[str], *, output: str | None = None, **attributes: Any) -> str:  # Any: ONNX
        """Add a node with one output and give its name."""
        name = output or self.fresh(op.lower())
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"{name}/node", **attributes))
        return name

    def rename(self, value: str, name: str) -> bool:
        """Give what a node of this scope makes another name; False if none makes it. For graphs without `If`s."""
        made = any(value in node.output for node in self.nodes)
        for node in self.nodes if made else []:
            for names in (node.input, node.output):
                for at, one in enumerate(names):
                    if one == value:
                        names[at] = name
        return made

    def constant(self, value: NDArray[Any]) -> str:  # Any: any element type
        """Name of a constant of this scope; equal ones are kept once."""
        array = np.asarray(value)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            name = self.fresh("constant")
            self.initializers.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def shape(self, *sizes: int) -> str:
        """A constant list of sizes or axes."""
        return self.constant(np.array(sizes, np.int64))

    def graph(self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]) -> onnx.GraphProto:
        """The finished ONNX graph."""
        return helper.make_graph(self.nodes, self.name, inputs, outputs, initializer=self.initializers)
