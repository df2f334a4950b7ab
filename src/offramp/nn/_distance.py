"""Euclidean distances to a few points, by one product of matrices.

Shape letters: B batch, D features, K points.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Distances(nn.Module):
    """Euclidean distances of rows [B, D] to K means, [B, K].

    |x - m|^2 = |x|^2 - 2 x.m + |m|^2, with both moved so that the means' own mean is 0: else the difference of two
    large numbers eats the digits. Written so, memory stays at [B, K], and the work is counted as the product it is.

    Args:
        count: K, the number of means.
        size: D, the number of features of each mean.
    """

    center: Tensor
    means: Tensor
    squares: Tensor

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        # NaN means "not set", and survives saving and loading.
        self.register_buffer("center", torch.full((size,), torch.nan))
        self.register_buffer("means", torch.full((count, size), torch.nan))
        self.register_buffer("squares", torch.full((count,), torch.nan))

    @property
    def is_set(self) -> bool:
        """Whether there are means to measure from."""
        return not bool(self.center.isnan().any())

    @torch.no_grad()
    def set_means(self, means: Tensor) -> None:
        """Measure from these means from now on.

        Args:
            means: The points [K, D], all finite.
        """
        self.center.copy_(means.mean(dim=0))
        self.means.copy_(means - self.center)
        self.squares.copy_(self.means.square().sum(dim=1))

    def forward(self, rows: Tensor) -> Tensor:
        """Measure how far each row is from each mean.

        Args:
            rows: Points [B, D].

        Returns:
            Euclidean distances [B, K], at least 0; NaN before `set_means`.
        """
        moved = rows - self.center
        squared = moved.square().sum(dim=1, keepdim=True) - 2 * moved @ self.means.T + self.squares
        return squared.clamp(min=0).sqrt()
