"""Score: the margin."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from offramp.graph import Direction


class Margin(nn.Module):
    """The largest minus the second largest softmax probability, in [0, 1]: the higher, the surer."""

    name: ClassVar[str] = "margin"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = 0.0
    stop_none: ClassVar[float] = 2.0

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The difference of the two largest softmax probabilities, for each sample."""
        top = logits.float().softmax(dim=1).topk(2, dim=1).values
        return top[:, 0] - top[:, 1]
