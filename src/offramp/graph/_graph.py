"""The noun of the library: a directed acyclic graph in which a node runs for a sample only if its gate says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType

from ._exit import Exit, find_exits
from ._node import Body, Node
from ._validate import check


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An immutable conditional graph; build it from nodes in topological order.

    Attributes:
        nodes: In graph order: every data or control edge leads forward.
        answer: Name of the node whose first output is the logits.
        bodies: For each function node and each control node without a gate, an opaque callable.

    Raises:
        GraphError: Some law is broken; the message names every offender.
    """

    nodes: tuple[Node, ...]
    answer: str
    bodies: Mapping[str, Body] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bodies", MappingProxyType(dict(self.bodies)))
        check(self.nodes, self.answer, self.bodies)

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return MappingProxyType({node.name: node for node in self.nodes})

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """The input nodes in graph order."""
        return tuple(node for node in self.nodes if node.kind == "input")

    @cached_property
    def controls(self) -> tuple[Node, ...]:
        """The control nodes in graph order: the columns of `route`."""
        return tuple(node for node in self.nodes if node.kind == "control")

    @cached_property
    def gates(self) -> tuple[Node, ...]:
        """The threshold gates in graph order: the entries of `thresholds`."""
        return tuple(node for node in self.controls if node.gate is not None)

    @cached_property
    def exits(self) -> tuple[Exit, ...]:
        """The places where a sample may get its answer, in graph order; the last one is the final exit."""
        return find_exits(self.by_name, self.answer)

    def __reduce__(self) -> tuple[Callable[[], Graph], tuple[()]]:
        """How a graph goes to another process; files hold the JSON form."""
        return partial(Graph, nodes=self.nodes, answer=self.answer, bodies=dict(self.bodies)), ()

    def with_bodies(self, bodies: Mapping[str, Body]) -> Graph:
        """The same structure with other bodies; names that are not given keep theirs."""
        return replace(self, bodies={**self.bodies, **bodies})
