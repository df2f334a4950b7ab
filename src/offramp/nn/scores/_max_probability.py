"""Score: the largest probability."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from offramp.graph import Direction


class MaxProbability(nn.Module):
    """The largest softmax probability, in [1/K, 1]: the higher, the surer."""

    name: ClassVar[str] = "max_probability"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = 0.0
    stop_none: ClassVar[float] = 2.0

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The maximum of softmax(logits), for each sample."""
        return logits.float().softmax(dim=1).amax(dim=1)
