"""Score: how many heads in a row have given the same answer."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from offramp.graph import Direction


class Patience(nn.Module):
    """The number of earlier heads, counted backwards without a gap, that answer like this one: the higher, the surer.

    A whole number: 0 at the first exit. Give all gates the same threshold, as the source does: per-exit thresholds on
    whole numbers choose between very few points.

    Reference:
        Zhou et al., "BERT Loses Patience: Fast and Robust Inference with Early Exit" (PABEE), NeurIPS 2020: inference
        stops when the counter reaches the patience t.
    """

    name: ClassVar[str] = "patience"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = -0.5  # not 0: a threshold lies between whole numbers, never on one
    stop_none: ClassVar[float] = 1e9

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The length of the unbroken run of equal answers that ends here, minus one, for each sample."""
        logits = logits.float()
        answer = logits.argmax(dim=1)
        unbroken = torch.ones_like(logits[:, 0])
        count = torch.zeros_like(unbroken)
        for head in reversed(earlier):
            unbroken = unbroken * (head.argmax(dim=1) == answer).float()
            count = count + unbroken
        return torch.where(logits.isnan().any(dim=1), torch.full_like(count, torch.nan), count)
