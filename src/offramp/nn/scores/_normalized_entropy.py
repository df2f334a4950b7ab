"""Score: the entropy as a share of the largest there is."""

from __future__ import annotations

from math import log
from typing import ClassVar

from torch import Tensor

from ._entropy import Entropy


class NormalizedEntropy(Entropy):
    """The entropy of the softmax divided by ln K, in [0, 1]: the lower, the surer.

    One threshold then means the same for any number of classes.
    """

    name: ClassVar[str] = "normalized_entropy"

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The entropy of softmax(logits) divided by ln K, for each sample."""
        return super().forward(features, logits, *earlier) / log(logits.shape[1])
