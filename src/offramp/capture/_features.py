"""Does a network answer with features instead of logits?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from torch import nn
from torch.fx import GraphModule, Node

from offramp.errors import OfframpWarning

from ._values import Value

FEWEST = 32  # features; fewer outputs are classes even if a network normalizes them
_NORMS = ("batch_norm", "layer_norm", "group_norm", "rms_norm", "layernorm", "batchnorm", "groupnorm", "rmsnorm")
_PRODUCTS = ("linear", "conv", "mm", "matmul", "einsum", "cdist", "softmax")


def warn_of_features(model: nn.Module, traced: GraphModule, values: Mapping[Node, Value], classes: int) -> None:
    """Warn if what a network answers is what a last layer would read: it has none, or it was taken off.

    Two signs: timm's own, `num_classes` of 0; or the answer comes, by pooling and the like alone, from tokens or maps
    that were normalized, as features do in all families that normalize. Logits come from a product.

    Args:
        model: The network, for its name and `num_classes`.
        traced: The same network as one graph of operations.
        values: What each operation gives.
        classes: Number of outputs.
    """
    if getattr(model, "num_classes", None) == 0 or (classes >= FEWEST and _comes_from_a_norm(traced, values)):
        warnings.warn(
            f"{type(model).__name__} answers with {classes} numbers that look like features, not like logits of "
            f"{classes} classes: no last layer makes them. Build it with its classifier.",
            OfframpWarning,
            stacklevel=3,
        )


def _comes_from_a_norm(traced: GraphModule, values: Mapping[Node, Value]) -> bool:
    node = next(node for node in traced.graph.nodes if node.op == "output")
    while node.all_input_nodes:
        node = node.all_input_nodes[0]
        name = _name(node, traced)
        if any(word in name for word in _NORMS):
            given = values[node].tensor
            return given is not None and len(given.shape) > 1
        if any(word in name for word in _PRODUCTS):
            return False
    return False


def _name(node: Node, traced: GraphModule) -> str:
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target))).__name__.lower()
    return str(getattr(node.target, "__name__", node.target)).lower() if node.op.startswith("call") else ""
