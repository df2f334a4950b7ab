"""How many tokens a network for texts knows."""

from __future__ import annotations

import torch
from torch import fx, nn

from offramp.capture import Capture


def find_vocabulary(captured: Capture) -> int | None:
    """The number of tokens in the vocabulary of a network for texts.

    Args:
        captured: The captured network.

    Returns:
        Rows of the embedding in which the first input is looked up; None if it is not looked up anywhere.
    """
    root = captured.trace.module
    numbers = captured.entry.nodes[0]
    for node in root.graph.nodes:
        if numbers in node.all_input_nodes and (table := _table(root, node)) is not None:
            return len(table)
    return None


def _table(root: nn.Module, node: fx.Node) -> torch.Tensor | None:
    """The weight of the embedding that a node looks up in."""
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        return module.weight if isinstance(module, nn.Embedding) else None
    if node.target is not torch.ops.aten.embedding.default:
        return None
    weight = node.args[0]
    assert isinstance(weight, fx.Node)
    return root.get_parameter(str(weight.target))
