"""How a graph came about: the steps from which it can be made again."""

from __future__ import annotations

from dataclasses import dataclass

from ._node import Node
from ._step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The steps that made the nodes of a graph, the first of which attached it to a network.

    Attributes:
        steps: In the order in which they were taken; empty if nobody knows.
        nodes: What they made. A graph with other nodes was changed by somebody who did not say how, so that its history
            is worth nothing.
    """

    steps: tuple[Step, ...] = ()
    nodes: tuple[Node, ...] = ()
