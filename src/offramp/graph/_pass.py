"""A change of a graph that can be taken again: what every transformation and compression is."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from ._graph import Graph
from ._history import History
from ._step import Step


class Pass(Step):
    """A frozen dataclass that makes another graph of a graph, in the same way each time.

    What samples decided, such as the channels to keep, is part of the pass. The graph that it is given stays as it is;
    bodies that change are copies.

    Example:
        >>> from dataclasses import dataclass
        >>> from offramp.graph import DataEdge, Graph, Node, Pass, Tensor
        >>> @dataclass(frozen=True)
        ... class Double(Pass):
        ...     name = "double"
        ...     node: str
        ...
        ...     def apply(self, graph):
        ...         body = graph.bodies[self.node]
        ...         return graph.with_bodies({self.node: lambda x: 2 * body(x)})
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,))
        >>> graph = Graph(nodes=(x, net), answer="net", bodies={"net": lambda x: x})
        >>> Double("net")(graph).bodies["net"](3)
        6
    """

    def requires(self, graph: Graph) -> None:  # most graphs suit most passes
        """Refuse, in one sentence, a graph that the pass cannot be applied to.

        Args:
            graph: The graph that the pass is to be applied to.

        Raises:
            OfframpError: It cannot; which kind depends on the pass.
        """

    @abstractmethod
    def apply(self, graph: Graph) -> Graph:
        """Change a graph.

        Args:
            graph: A graph that `requires` did not refuse.

        Returns:
            The changed graph, or the graph itself if nothing changes.
        """

    def __call__(self, graph: Graph) -> Graph:
        """The changed graph, which remembers this step if the steps to the graph before it are known.

        Raises:
            OfframpError: As `requires` raises it.
        """
        self.requires(graph)
        made = self.apply(graph)
        if made is graph:
            return graph
        steps = (*graph.steps, self) if graph.steps else ()
        return replace(made, history=History(steps=steps, nodes=made.nodes))
