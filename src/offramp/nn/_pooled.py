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

    Args:
        shape: Sizes of the axes, without the batch axis.

    Returns:
        The same sizes as whole numbers.

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

    Nothing in a tensor tells the layout; a square map gives it away, because its two equal sizes come first.

    Args:
        shape: Shape of one sample's features, without the batch axis.

    Returns:
        True if the channels seem to be the last axis.
    """
    return len(shape) == 3 and shape[0] == shape[1] != shape[2]


class ChannelsFirst(nn.Module):
    """Turns maps [B, H, W, C] into [B, C, H, W]."""

    def forward(self, features: Tensor) -> Tensor:
        """Move the channels to the front.

        Args:
            features: Maps [B, H, W, C].

        Returns:
            The same maps as [B, C, H, W].
        """
        return features.permute(0, 3, 1, 2)


def mean_of_tokens(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean token of each sample, without padded tokens.

    Args:
        tokens: Features of the tokens, [B, T, D].
        mask: [B, T], 0 at padded tokens and 1 elsewhere; None counts all tokens.

    Returns:
        Means [B, D]; a sample without any token gives 0.
    """
    if mask is None:
        return tokens.mean(dim=1)
    kept = mask.to(tokens.dtype)
    total = (tokens * kept.unsqueeze(2)).sum(dim=1)
    return total / torch.clamp(kept.sum(dim=1, keepdim=True), min=1)


class Pooled(nn.Module):
    """Mean of the features over space or tokens: one vector [B, D] per sample.

    Args:
        shape: Shape of one sample: (D), (T, D), (C, H, W), or (H, W, C) where `is_channels_last` finds that layout.

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
        """Average a batch of features.

        Args:
            features: Features [B, *shape].
            mask: For tokens, [B, T] with 0 at padding; None counts all of them.

        Returns:
            One vector [B, D] per sample.
        """
        if mask is not None:
            return mean_of_tokens(features, mask)
        return features.mean(dim=self.axes) if self.axes else features
