"""Pooling whose sizes are rounded up, as pooling that needs no rounding: some engines know no `ceil_mode`.

onnxruntime-web's default WebGPU backend raises on it, and answers nothing more on that page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper, shape_inference

_POOLS = ("AveragePool", "MaxPool")


def round_down(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without `ceil_mode`, and with the same answers; it is changed itself.

    A window that sticks out of the map at its end gets a border to read there, which a maximum and a mean over what is
    there both leave out. Where PyTorch counts the zeros of its own padding in a mean, they become part of the map, for
    the border behind them is never counted. A pooling over maps of unknown sizes stays as it is.
    """
    if not any(_rounds_up(node) for node in model.graph.node):
        return model
    sizes = _sizes(model)
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        given, made = (sizes.get(name, ()) for name in (node.input[0] if node.input else "", node.output[0]))
        if _rounds_up(node) and all(given) and all(made) and given:
            nodes += _rounded_down(node, given, made, model.graph)
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windows:
    """How the windows of a pooling lie, by axis of space."""

    size: Sequence[int]
    stride: Sequence[int]
    dilation: Sequence[int]
    pads: Sequence[int]

    def missing(self, given: Sequence[int], made: Sequence[int]) -> list[int]:
        """By axis, how far the last window sticks out of the map and its padding."""
        axes = len(self.size)
        return [
            max(
                0,
                (made[at] - 1) * self.stride[at] + (self.size[at] - 1) * self.dilation[at] + 1
                - given[at] - self.pads[at] - self.pads[axes + at],
            )
            for at in range(axes)
        ]  # fmt: skip


def _rounds_up(node: NodeProto) -> bool:
    return node.op_type in _POOLS and any(one.name == "ceil_mode" and one.i for one in node.attribute)


def _rounded_down(
    node: NodeProto, given: Sequence[int], made: Sequence[int], graph: onnx.GraphProto
) -> list[NodeProto]:
    """The nodes that take the place of a pooling from maps of some sizes to others."""
    known: dict[str, Any] = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    axes = len(given)
    windows = _Windows(
        size=known["kernel_shape"],
        stride=known.get("strides", [1] * axes),
        dilation=known.get("dilations", [1] * axes),
        pads=known.get("pads", [0] * 2 * axes),
    )
    missing, pads = windows.missing(given, made), list(windows.pads)
    changed = NodeProto()
    changed.CopyFrom(node)
    mean = node.op_type == "AveragePool"
    front: list[NodeProto] = []
    counted = mean and known.get("count_include_pad") and any(pads)
    if (counted and any(missing)) or not _fits(pads, missing, windows.size):
        around = pads if mean else _ended(pads, missing)
        front, pads = [_pad(node, around, graph, 0.0 if mean else -np.inf)], [0] * 2 * axes
        changed.input[0] = front[0].output[0]
        missing = missing if mean else [0] * axes
    if mean:
        _put(changed, count_include_pad=int(any(pads) and bool(counted)))
    _put(changed, ceil_mode=0, pads=_ended(pads, missing))
    return [*front, changed]


def _ended(pads: Sequence[int], missing: Sequence[int]) -> list[int]:
    """Padding with more of it at the end."""
    axes = len(missing)
    return [*pads[:axes], *(pad + more for pad, more in zip(pads[axes:], missing, strict=True))]


def _fits(pads: Sequence[int], missing: Sequence[int], size: Sequence[int]) -> bool:
    """Whether ONNX Runtime takes the padding, which it compares with the window as if it had no holes."""
    return all(pad < side for pad, side in zip(_ended(pads, missing), [*size, *size], strict=True))


def _pad(node: NodeProto, pads: Sequence[int], graph: onnx.GraphProto, fill: float) -> NodeProto:
    """Padding as an operation of its own, in front of a pooling."""
    axes = len(pads) // 2
    whole = np.array([0, 0, *pads[:axes], 0, 0, *pads[axes:]], np.int64)
    names = [f"{node.output[0]}/{part}" for part in ("pads", "fill")]
    graph.initializer.append(numpy_helper.from_array(whole, names[0]))
    graph.initializer.append(numpy_helper.from_array(np.array(fill, np.float32), names[1]))
    return helper.make_node("Pad", [node.input[0], *names], [f"{node.output[0]}/padded"], name=f"{node.name}/pad")


def _put(node: NodeProto, **values: Any) -> None:  # Any: whole numbers or lists of them
    """Replace attributes."""
    kept = [one for one in node.attribute if one.name not in values]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in values.items())])


def _sizes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """By value, its sizes behind batch and channels; 0 where nobody knows. What PyTorch itself gave comes first."""
    found: dict[str, tuple[int, ...]] = {}
    for graph in (shape_inference.infer_shapes(model).graph, model.graph):
        for value in (*graph.input, *graph.value_info, *graph.output):
            if value.type.tensor_type.HasField("shape"):
                dims = value.type.tensor_type.shape.dim
                found[value.name] = tuple(dim.dim_value for dim in dims[2:])
    return found
