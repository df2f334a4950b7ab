"""Layers that read several tensors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Join = Literal["sum", "concat"]


class Merge(nn.Module):
    """The sum of what comes in, or all of it one behind the other, and then layers.

    Args:
        join: "sum" adds tensors of one shape, "concat" joins them along the axis after the batch.
        layers: Module that reads the joined tensor.

    Example:
        >>> Merge("concat", nn.Identity())(torch.zeros(1, 2), torch.ones(1, 1))
        tensor([[0., 0., 1.]])
    """

    def __init__(self, join: Join, layers: nn.Module) -> None:
        super().__init__()
        self.join = join
        self.layers = layers

    def forward(self, *given: Tensor) -> Tensor:
        """Join the tensors and run the layers on the result.

        Args:
            *given: One or more tensors [B, ...]; for "sum" all of one shape.

        Returns:
            What the layers compute.
        """
        read: Tensor = given[0]
        if self.join == "concat":
            read = torch.cat(given, dim=1)
        else:
            for other in given[1:]:
                read = read + other
        result: Tensor = self.layers(read)
        return result
