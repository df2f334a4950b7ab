"""The outputs of a conditional file as columns of one tensor.

Where a student answers in 0.15 ms, three outputs of a few numbers beside the logits take OpenVINO 40 us more, and 17 as
columns of the same tensor (note 0008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openvino import Type, opset13

from offramp.run._card import OUTPUTS
from offramp.run._ports import Array

from ._branches import Model, gathers_rows


@dataclass(frozen=True, slots=True)
class Columns:
    """Where one output lies in the packed tensor.

    Attributes:
        place: The column of a vector, else a range of columns.
        dtype: Of the output; whole numbers below 2**24 survive the way through float32.
        table: Rows that the column numbers, if the output is looked up in a constant; else None.
    """

    place: int | slice
    dtype: np.dtype[Any]  # Any: float32 or int64
    table: Array | None = None


def output_name(port: Any) -> str:  # Any: openvino.Output
    """How the file calls an output: OpenVINO 2025.3 also knows it by the name of what an `Identity` made it from."""
    names = port.get_names()
    return next((name for name in OUTPUTS if name in names), str(port.any_name))


def pack(model: Model) -> tuple[Columns, ...]:
    """Give a model one output instead of those of a conditional file, in place.

    Returns:
        Where each of them is found, in order. Empty if the model has other outputs, some of free size, or some that
        are empty: then it stays as it is.
    """
    ports = model.outputs
    sized = all(port.partial_shape.is_static and 0 not in port.shape for port in ports)
    if not sized or {output_name(port) for port in ports} != set(OUTPUTS):
        return ()
    found: list[Columns] = []
    parts: list[Any] = []  # Any: openvino.Node
    places: dict[tuple[str, int], int | slice] = {}  # of what is there already, by node and output
    start = 0
    for port in ports:
        value, dtype = port.get_node().input_value(0), np.dtype(port.element_type.to_dtype())
        table = _table(value)
        value = _as_computed(value if table is None else value.get_node().input_value(1))
        key = (value.get_node().get_name(), value.get_index())
        if key not in places:
            size = int(np.prod(list(value.get_shape())[1:]))
            parts.append(_columns(value, size))
            places[key] = start if len(value.get_shape()) == 1 else slice(start, start + size)
            start += size
        found.append(Columns(places[key], dtype, table))
    results = [port.get_node() for port in ports]
    model.add_results([opset13.result(opset13.concat(parts, 1))])
    for result in results:
        model.remove_result(result)
    return tuple(found)


def unpack(packed: NDArray[np.float32], columns: Sequence[Columns]) -> list[Array]:
    """The outputs, as arrays of the caller's own."""
    own = packed.copy()
    found: list[Array] = []
    for one in columns:  # every call passes here: no detours
        part = own[:, one.place]
        if one.table is not None:
            part = one.table[part.astype(np.int64)]
        found.append(part if part.dtype == one.dtype else part.astype(one.dtype))
    return found


def _table(value: Any) -> Array | None:  # Any: openvino.Output
    """The constant [N, ...] that an output [rows, ...] gathers rows of by one number per row, if it does."""
    node = value.get_node()
    if not gathers_rows(node) or len(node.input_value(1).get_partial_shape()) != 1:
        return None
    source = node.input_value(0).get_node()
    return np.array(source.get_data()) if source.get_type_name() == "Constant" else None


def _as_computed(value: Any) -> Any:  # Any: openvino.Output
    """What the end of the file makes a whole number, as it was before."""
    while value.get_node().get_type_name() in ("Convert", "Identity"):
        value = value.get_node().input_value(0)
    return value


def _columns(value: Any, size: int) -> Any:  # Any: openvino.Output and Node
    """A value as [rows, size] float32."""
    number = value if value.get_element_type() == Type.f32 else opset13.convert(value, Type.f32)
    return opset13.reshape(number, opset13.constant(np.array([-1, size], np.int64)), False)
