"""Samples whose inputs are not all numbers: what computes does not show it, so scores are told.

OpenVINO's Relu turns NaN into 0 and its MaxPool leaves it out, minus infinity ends at a Relu everywhere, and bytes know
neither: an exit may be sure of such a sample. Sums and products keep them in every engine and precision tried.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from offramp.graph import Graph

from ._frame import Frame
from ._scope import Scope


def find_taint(graph: Graph, scope: Scope) -> str:
    """[samples] float32: 0 where all inputs of a sample are finite, else NaN; "" if none is of floats."""
    taint = ""
    for node in graph.inputs:
        tensor = node.outputs[0]
        if not tensor.dtype.startswith("float"):
            continue
        total = node.name
        if tensor.dtype != "float32":
            total = scope.add("Cast", [total], to=TensorProto.FLOAT)
        if tensor.shape:
            total = scope.add("ReduceSum", [total, scope.shape(*range(1, len(tensor.shape) + 1))], keepdims=0)
        taint = scope.add("Add", [taint, total]) if taint else total
    return scope.add("Mul", [taint, scope.constant(np.zeros((), np.float32))]) if taint else ""


def spoil(score: str, taint: str, frame: Frame) -> str:
    """[rows] the score, NaN where the sample is tainted: then no gate stops it."""
    scope = frame.scope
    rows = taint if frame.root else scope.add("Gather", [taint, frame.index], axis=0)
    return scope.add("Add", [score, rows])
