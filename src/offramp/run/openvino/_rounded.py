"""Keeps OpenVINO's CPU plugin from computing in f32 where it was asked for bfloat16 or float16.

The plugin leaves in f32 what lies between an output of a graph and the convolutions and matrix products before it, and
what enters an `If` counts as an output. In a residual network that search goes back along the shortcuts, so that all
sums of a stage are f32 and are rounded once more for each convolution (ResNet-56, batch 64, no sample leaves: 26 of
them, 36.3 ms a call; the network alone 23.6). A depthwise convolution by 1 in front of the `If` ends the search
(29.6 ms).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import Type, opset13

from ._branches import Model, branches, entries

_ENDS = ("Convolution", "GroupConvolution", "MatMul")  # where the plugin's search ends


def end_in_rounded(model: Model) -> None:
    """Change a model in place: maps that enter an `If` are rounded in front of it; those in bodies too."""
    rounded: dict[tuple[str, int], Any] = {}
    for branch in branches(model):
        then = branch.get_then_body()
        end_in_rounded(then)
        end_in_rounded(branch.get_else_body())
        for port, _ in entries(branch, then):
            source = port.get_source_output()
            if not (_is_map(source) and _is_computed(source.get_node())):
                continue
            key = (source.get_node().get_friendly_name(), source.get_index())
            if key not in rounded:
                rounded[key] = _times_one(source)
            port.replace_source_output(rounded[key])


def _is_map(source: Any) -> bool:
    """Floats with channels of a known number and two or three axes behind them; of tokens nothing is gained."""
    shape = source.get_partial_shape()
    return source.get_element_type() == Type.f32 and 4 <= len(shape) <= 5 and shape[1].is_static


def _is_computed(node: Any) -> bool:
    """Whether a convolution or matrix product is what something was made from, and not itself."""
    if node.get_type_name() in _ENDS:
        return False
    seen, pending = set(), [node]
    while pending:
        node = pending.pop()
        if node.get_type_name() in _ENDS:
            return True
        for value in node.input_values():
            name = value.get_node().get_friendly_name()
            if name not in seen:
                seen.add(name)
                pending.append(value.get_node())
    return False


def _times_one(source: Any) -> Any:
    """Each channel convolved with a kernel of one weight, 1: exact."""
    shape = source.get_partial_shape()
    axes = len(shape) - 2
    ones = opset13.constant(np.ones((shape[1].get_length(), 1, 1, *[1] * axes), np.float32))
    still, none = [1] * axes, [0] * axes
    return opset13.group_convolution(source, ones, still, none, none, still).output(0)
