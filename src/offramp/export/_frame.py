"""The rows of one block, by the names that they have in the ONNX file."""

from __future__ import annotations

from dataclasses import dataclass, field

from offramp.graph import Value

from ._scope import Scope


@dataclass(slots=True)
class Frame:
    """The rows of one block in ONNX names.

    Attributes:
        scope: Where nodes are added.
        values: Name of every value.
        trail: Tensors [rows, ...] of the trail; empty while, or where, no control node ran.
        routes: [rows] float32: the edge that a control node of this very block opened.
        masks: [rows] bool: where a control edge of a threshold gate of this very block is open.
        index: [rows] int64: which sample of the batch each row is; not used in the frame of all samples.
        order: The same, for what comes out of blocks, once there is one.
        root: Whether this is the frame of all samples.
    """

    scope: Scope
    values: dict[Value, str]
    trail: tuple[str, ...] = ()
    routes: dict[str, str] = field(default_factory=dict)
    masks: dict[tuple[str, int], str] = field(default_factory=dict)
    index: str = ""
    order: str = ""
    root: bool = False
