"""Score: the entropy."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from offramp.graph import Direction


class Entropy(nn.Module):
    """The entropy of the softmax in nats, in [0, ln K]: the lower, the surer.

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks",
        ICPR 2016, section III-B (whose formula omits the minus sign).
    """

    name: ClassVar[str] = "entropy"
    direction: ClassVar[Direction] = "lower"
    stop_all: ClassVar[float] = 1e9
    stop_none: ClassVar[float] = 0.0

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The sum of -p ln p over the classes, with p = softmax(logits), for each sample."""
        log = logits.float().log_softmax(dim=1)
        # Rounding can leave -1e-8, which a threshold of exactly 0 (no sample stops) would let out.
        return -(log.exp() * log).sum(dim=1).clamp(max=0.0)
