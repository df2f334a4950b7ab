"""Normalization as a part of the network, so that it takes plain pixels."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor, nn

from offramp.errors import OptionError


class Normalize(nn.Module):
    """(x - mean) / std per channel; the channel is the axis after the batch.

    Args:
        mean: Mean of each channel, in the units of the input (pixels in [0, 1]).
        std: Standard deviation of each channel, above 0, in the same units.

    Raises:
        OptionError: Unequal lengths, a standard deviation that is not positive, or a number that is not finite.

    Example:
        >>> Normalize([0.5], [0.25])(torch.ones(1, 1, 1, 2))
        tensor([[[[2., 2.]]]])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if not mean or len(mean) != len(std) or min(std) <= 0 or not all(map(isfinite, (*mean, *std))):
            raise OptionError(
                "mean and std must have one entry per channel, finite, and std be positive, but are "
                f"{list(mean)} and {list(std)}. Give them in units of pixels in [0, 1]."
            )
        self.register_buffer("mean", torch.tensor([float(value) for value in mean]))
        self.register_buffer("std", torch.tensor([float(value) for value in std]))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize a batch.

        Args:
            x: Values [B, C, ...], with as many channels as there are means.

        Returns:
            Values of the same shape.
        """
        shape = (-1, *(1,) * (x.ndim - 2))
        return (x - self.mean.view(shape)) / self.std.view(shape)
