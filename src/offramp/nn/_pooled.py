"""How features of any layout become one vector per sample.

Shape letters: B batch, C channels, H W space, T tokens, D features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from offramp.errors import OptionError


def check_features(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of one sample's features as a tuple.

    Raises:
        OptionError: The shape is none of (D), (T, D), (C, H, W), or has an empty axis.
    """
    sizes = tuple(int(size) for size in shape)
    if len(sizes) not in (1, 2, 3) or min(sizes) < 1:
        raise OptionError(
            f"features must be (D), (T, D) or (C, H, W) per sample with no empty axis, but got {sizes}. "
            "Put the exit at another cut point."
        )
    return sizes


def is_channels_last(shape: Sequence[int]) -> bool:
    """True for a picture-like map stored as (H, W, C), as Swin transformers do.

    Nothing in a tensor says so; a square map gives it away, because its two equal sizes come first.
    """
    return len(shape) == 3 and shape[0] == shape[1] != shape[2]


class ChannelsFirst(nn.Module):
    """Turns maps [B, H, W, C] into [B, C, H, W]."""

    def forward(self, features: Tensor) -> Tensor:
        """The same map with its channels in front."""
        return features.permute(0, 3, 1, 2)


def mean_of_tokens(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """[B, D] mean of the tokens [B, T, D] of each sample, without those where the mask [B, T] is 0.

    A sample without any token gives 0.
    """
    if mask is None:
        return tokens.mean(dim=1)
    kept = mask.to(tokens.dtype)
    total = (tokens * kept.unsqueeze(2)).sum(dim=1)
    return total / torch.clamp(kept.sum(dim=1, keepdim=True), min=1)


class Pooled(nn.Module):
    """Mean of the features over space or tokens: one vector [B, D] per sample.

    Args:
        shape: Of one sample: (D), (T, D), (C, H, W), or (H, W, C) where `is_channels_last` says so.

    Attributes:
        size: D, the length of the vector.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        sizes = check_features(shape)
        last = len(sizes) < 3 or is_channels_last(sizes)
        self.size = sizes[-1] if last else sizes[0]
        self.axes = {1: (), 2: (1,), 3: (1, 2) if last else (2, 3)}[len(sizes)]

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """The mean vector of each sample; the mask [B, T] of tokens is 0 at padding."""
        if mask is not None:
            return mean_of_tokens(features, mask)
        return features.mean(dim=self.axes) if self.axes else features
