"""Some features, in another order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SelectFeatures(nn.Module):
    """The features of these numbers, in this order.

    Args:
        numbers: Positions of the features to keep, counted from 0, in the order wanted.

    Example:
        >>> SelectFeatures([2, 0])(torch.tensor([[5.0, 6.0, 7.0]]))
        tensor([[7., 5.]])
    """

    numbers: Tensor

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.tensor(numbers))

    def forward(self, x: Tensor) -> Tensor:
        """Select from a batch.

        Args:
            x: Features [B, D].

        Returns:
            The selected features, [B, len(numbers)].
        """
        return x.index_select(1, self.numbers)
