"""Layers that read several tensors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Join = Literal["sum", "concat"]


class Merge(nn.Module):
    """The sum of what comes in, or all of it one behind the other, and then layers.

    Args:
        join: "sum" of tensors that are alike, or "concat" along the axis behind the batch.
        layers: What reads the result.

    Example:
        >>> Merge("concat", nn.Identity())(torch.zeros(1, 2), torch.ones(1, 1))
        tensor([[0., 0., 1.]])
    """

    def __init__(self, join: Join, layers: nn.Module) -> None:
        super().__init__()
        self.join = join
        self.layers = layers

    def forward(self, *given: Tensor) -> Tensor:
        """What the layers give for several tensors [B, ...]."""
        read: Tensor = given[0]
        if self.join == "concat":
            read = torch.cat(given, dim=1)
        else:
            for other in given[1:]:
                read = read + other
        result: Tensor = self.layers(read)
        return result
