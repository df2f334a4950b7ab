"""A graph with all its exits as one module that learns, run for all rows; gates are ignored."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from offramp.errors import LearnError
from offramp.graph import Graph, Node

from ._frozen_backbone import Values, as_tuple, channels_last, find_backbone, gather, lay_out
from ._settings import Precision

_KEPT = ("batch_norm", "dropout")  # operations that mean something else in training mode


class TrainableGraph(nn.Module):
    """Copies of a graph's backbone and heads, with gradients.

    Args:
        graph: An early-exit graph; all bodies that its exits need are modules.
        precision: Numbers that the forward pass computes in; weights and losses stay in float32.
        frozen: True leaves the backbone as it is, in eval mode and without gradients.

    Attributes:
        exits: Names of the nodes that answer, in graph order.

    Raises:
        LearnError: The backbone depends on gates, a body is no module, or a stage is fixed in eval mode although its
            training mode would differ.
    """

    def __init__(self, graph: Graph, precision: Precision, *, frozen: bool) -> None:
        super().__init__()
        self.exits = graph.exits
        backbone = {node.name for node in find_backbone(graph, graph.exits[-1])}
        nodes = [
            node
            for node in graph.nodes
            if node.name in backbone or node.name in graph.exits or node.role == "head"  # read by an ensemble
        ]
        check_learnable(graph, [node for node in nodes if node.name in backbone] if not frozen else [], nodes)
        # copied at once: weights that two stages share stay shared
        self.bodies = nn.ModuleDict(copy.deepcopy({node.name: graph.bodies[node.name] for node in nodes}))  # type: ignore[arg-type]  # checked above
        self._nodes, self._backbone, self._inputs = nodes, backbone, tuple(node.name for node in graph.inputs)
        self._precision, self._frozen = precision, frozen
        self.requires_grad_(True)
        for name in backbone:
            self.bodies[name].requires_grad_(not frozen)
        lay_out(self, torch.channels_last)

    @property
    def device(self) -> torch.device:
        """The device on which the weights are."""
        return next(self.parameters()).device

    def train(self, mode: bool = True) -> TrainableGraph:
        """As for any module, but a frozen backbone stays in eval mode.

        Args:
            mode: True for training mode.

        Returns:
            This module.
        """
        super().train(mode)
        for name in self._backbone if self._frozen else ():
            self.bodies[name].eval()
        return self

    def forward(self, batch: Mapping[str, Tensor], *, final_only: bool = False) -> dict[str, Tensor]:
        """Answer a batch at every exit; where an ensemble answers, heads learn through it.

        Args:
            batch: Inputs [B, ...] by name.
            final_only: True runs no early exit's head.

        Returns:
            Logits [B, K] of each exit in order, in float32.
        """
        values: Values = {name: (channels_last(batch[name]),) for name in self._inputs}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            for node in self._nodes:
                if final_only and node.name not in self._backbone:
                    continue
                with torch.no_grad() if self._frozen and node.name in self._backbone else nullcontext():
                    values[node.name] = as_tuple(self.bodies[node.name](*gather(values, node)))
        return {name: values[name][0].float() for name in self.exits if name in values}

    def split_parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The parameters that learn.

        Returns:
            Those of the backbone, and those of the heads.
        """
        backbone: list[nn.Parameter] = []
        heads: list[nn.Parameter] = []
        for name, parameter in self._learning():
            (backbone if name in self._backbone else heads).append(parameter)
        return backbone, heads

    def _learning(self) -> Iterator[tuple[str, nn.Parameter]]:
        seen: set[nn.Parameter] = set()
        for name, body in self.bodies.items():
            for parameter in body.parameters():
                if parameter.requires_grad and parameter not in seen:
                    seen.add(parameter)
                    yield name, parameter


def check_learnable(graph: Graph, learning: list[Node], nodes: list[Node]) -> None:
    """Refuse bodies that cannot learn.

    Args:
        graph: Graph with the bodies.
        learning: Nodes whose weights are to move.
        nodes: All nodes that run.

    Raises:
        LearnError: A body is no module, or one of those that learn is fixed in eval mode although it would differ.
    """
    opaque = [node.name for node in nodes if not isinstance(graph.bodies[node.name], nn.Module)]
    if opaque:
        raise LearnError(f"what learns must be torch modules, but {', '.join(opaque)} are not. Give modules as bodies.")
    fixed = [node.name for node in learning if node.eval_only and _differs_in_training(graph.bodies[node.name])]
    if fixed:
        raise LearnError(
            f"stages with batch normalization or dropout learn only in training mode, but {', '.join(fixed)} were "
            "captured by torch.export in eval mode. Use the regime frozen or learn.distill_heads, or make the network "
            "traceable by torch.fx (no branches on values in forward)."
        )


def _differs_in_training(body: object) -> bool:
    """True if a captured stage calls batch normalization or dropout as a fixed operation."""
    graph = getattr(body, "graph", None)
    return graph is not None and any(
        kept in str(node.target) for node in graph.nodes if node.op == "call_function" for kept in _KEPT
    )
