"""The parts of a conditional graph: tensors, edges, gates and nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["input", "function", "control", "dummy", "select"]
Direction = Literal["higher", "lower"]
Body = Callable[..., Any]  # opaque: in practice an nn.Module; graph never calls it


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One value that a node gives.

    Attributes:
        shape: Sizes without the batch axis if row-wise, all sizes if shared.
        dtype: NumPy name, such as "float32".
        row_wise: True if the first axis is the batch; a shared tensor is the same for every sample.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    row_wise: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEdge:
    """Where a node reads: output `output` of node `source`, or `default` (a fill value) where that is null."""

    source: str
    output: int = 0
    default: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What makes a control node a threshold gate: edge 0 (stop) opens if its score passes T, else edge 1 (go).

    Attributes:
        direction: "higher" stops if score >= T, "lower" stops if score < T; NaN never stops.
        stop_all: A threshold at which every sample (but NaN) stops.
        stop_none: A threshold at which no sample stops.
    """

    direction: Direction
    stop_all: float
    stop_none: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: what it reads, what it gives, and for a control node which nodes its edges open.

    Attributes:
        name: Unique in the graph; never contains a dot.
        kind: "input", "function", "control", "dummy" or "select".
        inputs: Data edges in the order of the body's arguments; for select in order of preference.
        outputs: What a function or input node gives; empty for control (its route) and dummy nodes.
        edges: Of a control node: the names of the nodes that its control edges open, by edge index.
        gate: Of a control node: set if it compares a score (its only input) with a threshold; it has no body.
        role: What a builder made it as ("normalize", "stage", "head", "ensemble", "score", "regular", "controller",
            "fallback"), for those who train it.
        recipe: JSON-able data from which the body can be built again.
        eval_only: True if the body was captured in eval mode and knows no training mode.
        exit: Of a node that answers at an attached exit: how many exits were attached before that one. It stays when
            other exits are dropped.
    """

    name: str
    kind: Kind
    inputs: tuple[DataEdge, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    edges: tuple[str, ...] = ()
    gate: Gate | None = None
    role: str | None = None
    recipe: Mapping[str, Any] | None = None  # Any: JSON
    eval_only: bool = False
    exit: int | None = None
