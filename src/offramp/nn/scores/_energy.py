"""Score: the energy."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from offramp.graph import Direction

_LARGEST = torch.finfo(torch.float32).max


class Energy(nn.Module):
    """The negative free energy ln sum exp(logits), unbounded: the higher, the surer.

    Unlike a probability it keeps how large the logits are, not only how they differ.

    Reference:
        Liu, Wang, Owens and Li, "Energy-based Out-of-distribution Detection", NeurIPS 2020, equation (4) at
        temperature 1, with the sign turned.
    """

    name: ClassVar[str] = "energy"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = -_LARGEST
    stop_none: ClassVar[float] = _LARGEST

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The logarithm of the sum of exp(logits), for each sample."""
        return logits.float().logsumexp(dim=1)
