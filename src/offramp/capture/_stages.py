"""Stages: the pieces of a captured network between cut points, as modules of their own."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from ._trace import module_from_graph
from ._values import Value, scale_with_batch


class _Builder:
    """Writes the graph of one stage.

    Weights and what follows from sizes alone are made where they are needed; sizes follow from the batch of the
    first row-wise input, so no stage remembers the batch of the example.
    """

    def __init__(self, values: Mapping[fx.Node, Value], inputs: Sequence[fx.Node]) -> None:
        self.values = values
        self.graph = fx.Graph()
        self.made = {node: self.graph.placeholder(node.name) for node in inputs}
        self.rows = next(self.made[node] for node in inputs if values[node].role == "rows")
        self.batch: fx.Node | None = None

    def add(self, node: fx.Node) -> None:
        """Copy an operation, unless it is one that is made on demand."""
        if self.values[node].role not in ("free", "size") and node not in self.made:
            self.made[node] = self.graph.node_copy(node, self.find)

    def find(self, node: fx.Node) -> Any:  # Any: a node, or the number it stands for
        """What stands for a node of the whole network in this stage.

        Args:
            node: A node of the network.

        Returns:
            A node of the stage, or the number that it stands for.
        """
        if self.values[node].role == "size":
            first, second = self.values[node].sizes or (None, None)
            return self._write_size(first, second)
        if node not in self.made:
            assert self.values[node].role == "free", f"{node} is not carried"
            self.made[node] = self.graph.node_copy(node, self.find)
        return self.made[node]

    def _write_size(self, first: Any, second: Any) -> Any:
        if isinstance(first, (tuple, list)):
            return tuple(self._write_size(*pair) for pair in zip(first, second, strict=True))
        if isinstance(first, torch.device):
            return self.graph.call_function(getattr, (self.rows, "device"))
        if not isinstance(first, int) or isinstance(first, bool) or first == second:
            return first
        times = scale_with_batch((first, second))
        return self._batch() if times == 1 else self.graph.call_function(operator.mul, (self._batch(), times))

    def _batch(self) -> fx.Node:
        if self.batch is None:
            self.batch = self.graph.call_method("size", (self.rows, 0))
        return self.batch


def build_stage(
    root: nn.Module,
    values: Mapping[fx.Node, Value],
    *,
    inputs: Sequence[fx.Node],
    nodes: Sequence[fx.Node],
    outputs: Sequence[fx.Node] | fx.Node,
) -> fx.GraphModule:
    """The module that computes `outputs` from `inputs`.

    Args:
        root: The whole network, whose weights the module has, by their names.
        values: What each operation of the network gives.
        inputs: Operations whose results the module takes.
        nodes: Operations that it does, in order.
        outputs: Operations whose results it gives: a tuple for several, one tensor for a single one.

    Returns:
        A module in evaluation mode.
    """
    builder = _Builder(values, inputs)
    for node in nodes:
        builder.add(node)
    results = builder.find(outputs) if isinstance(outputs, fx.Node) else tuple(map(builder.find, outputs))
    builder.graph.output(results)
    return module_from_graph(root, builder.graph, "Stage").eval()
