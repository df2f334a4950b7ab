"""What export adds around the bodies, in NumPy: who goes on, their rows, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, helper, numpy_helper

from ._card import OUTPUTS

Array = NDArray[Any]  # Any: maps, scores, masks, row numbers
_OURS = "offramp/"  # prefix of the names of nodes that export adds


def _shape(x: Array, *, start: int = 0, end: int | None = None) -> Array:
    return np.array(x.shape[start:end], np.int64)


def _reshape(x: Array, shape: Array) -> Array:
    return x.reshape([x.shape[at] if size == 0 else int(size) for at, size in enumerate(shape)])


def _expand(x: Array, shape: Array) -> Array:
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape)))


def _squeeze(x: Array, axes: Array | None = None) -> Array:
    return np.squeeze(x, None if axes is None else tuple(axes))


def _scatter(base: Array, places: Array, rows: Array) -> Array:
    result = base.copy()
    result[tuple(np.moveaxis(places, -1, 0))] = rows
    return result


def _nonzero(x: Array) -> Array:
    return np.array(np.nonzero(x), np.int64)


def _gather(x: Array, index: Array, *, axis: int = 0) -> Array:
    return np.take(x, index, axis=axis)


def _cast(x: Array, *, to: int) -> Array:
    return x.astype(helper.tensor_dtype_to_np_dtype(to))


def _concat(*parts: Array, axis: int) -> Array:
    return np.concatenate(parts, axis=axis)


def _reduce(function: Any, x: Array, axes: Array | None = None, *, keepdims: int = 1) -> Array:  # Any: a ufunc
    result: Array = function.reduce(x, axis=None if axes is None else tuple(axes), keepdims=bool(keepdims))
    return np.asarray(result)


OPERATORS: dict[str, Callable[..., Array]] = {
    "And": np.logical_and,
    "Cast": _cast,
    "Concat": _concat,
    "Equal": np.equal,
    "Expand": _expand,
    "Gather": _gather,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Identity": lambda x: x,
    "IsNaN": np.isnan,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "NonZero": _nonzero,
    "Not": np.logical_not,
    "Range": np.arange,
    "ReduceMax": partial(_reduce, np.maximum),
    "ReduceMin": partial(_reduce, np.minimum),
    "ReduceSum": partial(_reduce, np.add),
    "Reshape": _reshape,
    "ScatterND": _scatter,
    "Shape": _shape,
    "Squeeze": _squeeze,
    "Unsqueeze": lambda x, axes: np.expand_dims(x, tuple(axes)),
    "Where": np.where,
}


def is_bookkeeping(node: NodeProto) -> bool:
    """Whether export added a node, and it can be done here."""
    ours = node.name.startswith(_OURS) or any(name in OUTPUTS for name in node.output)
    return ours and node.op_type in OPERATORS


@dataclass(frozen=True, slots=True)
class Gathered:
    """Some rows of an array, not yet copied; `index` increases strictly."""

    data: Array
    index: Array

    def __len__(self) -> int:
        return len(self.index)

    def write(self, target: Array, start: int, stop: int) -> None:
        """Copy the rows from `start` to `stop`; where all rows go on, without looking each of them up."""
        if len(self.index) == len(self.data):
            target[...] = self.data[start:stop]
        else:
            np.take(self.data, self.index[start:stop], axis=0, out=target, mode="clip")  # "raise" would copy twice


class Bookkeeping:
    """Some of these nodes, in order.

    Args:
        graph: All its nodes are bookkeeping.
        lazy: Outputs of Gathers that only bodies read: they become `Gathered`.
    """

    def __init__(self, graph: GraphProto, lazy: Container[str] = ()) -> None:
        self._constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
        self._calls = [
            (
                Gathered if node.output[0] in lazy else _call(node),
                tuple(name for name in node.input if name),
                node.output[0],
            )
            for node in graph.node
        ]

    def __call__(self, values: MutableMapping[str, Any]) -> None:  # Any: arrays, and gathered ones
        """Add what the nodes compute to the values, by name."""
        values.update(self._constants)
        for call, inputs, output in self._calls:
            values[output] = call(*[values[name] for name in inputs])


def gathers_rows(node: NodeProto, name: str) -> bool:
    """Whether a node reads `name` only to gather rows of it."""
    axis = next((one.i for one in node.attribute if one.name == "axis"), 0)
    return node.op_type == "Gather" and axis == 0 and node.input[0] == name != node.input[1]


def _call(node: NodeProto) -> Callable[..., Array]:
    attributes: Mapping[str, Any] = {one.name: helper.get_attribute_value(one) for one in node.attribute}  # Any: ONNX
    function = OPERATORS[node.op_type]
    return partial(function, **attributes) if attributes else function
