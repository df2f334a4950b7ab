"""Samples whose inputs are not all numbers, where what computes would not show it."""

from __future__ import annotations

import numpy as np

from offramp.graph import Graph

from ._frame import Frame
from ._scope import Scope

_LARGEST = np.float32(3e38)


def find_sound(graph: Graph, scope: Scope) -> str:
    """[samples] whether the inputs of each are finite; "" if none is of floats.

    Bytes know no NaN: in 8 bits it becomes some number, and an exit may be sure of it. So scores are told by this.
    """
    sound = ""
    for node in graph.inputs:
        tensor = node.outputs[0]
        if not tensor.dtype.startswith("float"):
            continue
        flat = scope.add("Reshape", [node.name, scope.shape(0, -1)])
        size = scope.add("Abs", [scope.add("ReduceSum", [flat, scope.shape(1)], keepdims=0)])
        finite = scope.add("Less", [size, scope.constant(np.array(_LARGEST, tensor.dtype))])  # NaN compares false
        sound = scope.add("And", [sound, finite]) if sound else finite
    return sound


def spoil(score: str, sound: str, frame: Frame) -> str:
    """[rows] the score, NaN where the sample is not sound: it never leaves early."""
    scope = frame.scope
    rows = sound if frame.root else scope.add("Gather", [sound, frame.index], axis=0)
    return scope.add("Where", [rows, score, scope.constant(np.array(np.nan, np.float32))])
