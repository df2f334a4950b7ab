"""Score: the confidence that the head itself gives."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from offramp.graph import Direction


class HeadConfidence(nn.Module):
    """The sigmoid of the head's own confidence output, in [0, 1]: the higher, the surer.

    It reads that output in the place of the features, so it needs heads with the option `confidence`. The confidence is
    learned by `learn.cumulative`, together with the head; the score `confidence` is fitted afterwards to any head.

    Reference:
        Demir and Akbas, "Early-exit Convolutional Neural Networks", arXiv 2409.05336, 2024, the confidence h;
        Lahiany and Aperstein, "PTEEnet", IEEE Access 10, 2022, algorithm 1: exit at the first h above one threshold.
    """

    name: ClassVar[str] = "head_confidence"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = 0.0
    stop_none: ClassVar[float] = 2.0

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The sigmoid of `features`, which are the log-odds [B] of the confidence."""
        score = features.float().sigmoid()
        return torch.where(logits.isnan().any(dim=1), torch.full_like(score, torch.nan), score)
