"""The part of an early-exit graph that learns: copies of its heads, run for all rows."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import Tensor, nn

from offramp.errors import LearnError
from offramp.graph import Graph, Node

from ._frozen_backbone import as_tuple, gather


class TrainableHeads(nn.Module):
    """Copies of a graph's heads, with gradients, and of the ensembles that weigh them.

    Args:
        graph: Graph whose nodes of role "head" and "ensemble" are copied.

    Attributes:
        nodes: These nodes, in graph order.

    Raises:
        LearnError: There is no head, or one that is not an `nn.Module`.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.nodes: tuple[Node, ...] = tuple(node for node in graph.nodes if node.role in ("head", "ensemble"))
        bodies = {node.name: graph.bodies[node.name] for node in self.nodes}
        opaque = [name for name, body in bodies.items() if not isinstance(body, nn.Module)]
        if opaque or not bodies:
            given = ", ".join(opaque) or "a graph without a head"
            raise LearnError(
                f"heads must be torch modules to be trained, but got {given}. Attach exits with attach.exits."
            )
        self.bodies = nn.ModuleDict(copy.deepcopy(bodies))  # type: ignore[arg-type]  # checked above
        self.requires_grad_(True)

    def forward(self, values: Mapping[str, tuple[Tensor, ...]]) -> dict[str, tuple[Tensor, ...]]:
        """Run all heads; one may read the heads before it.

        Nothing flows back from an ensemble into heads: they learn by themselves, and it learns to weigh them.

        Args:
            values: What the backbone gave, by the name of the node.

        Returns:
            What each head and ensemble gives, by name.
        """
        known = dict(values)
        for node in self.nodes:
            read = gather(known, node)
            given = [tensor.detach() for tensor in read] if node.role == "ensemble" else read
            known[node.name] = as_tuple(self.bodies[node.name](*given))
        return {node.name: known[node.name] for node in self.nodes}
