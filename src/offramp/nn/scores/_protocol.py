"""What an outsider implements to add a score.

Shape letters: B batch, K classes, S samples, D collected features.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor

from offramp.graph import Direction

from ._targets import Targets


class Score(Protocol):
    """How sure a head is, one number per sample; in practice an `nn.Module`.

    Attributes:
        name: The name by which users choose the score.
        direction: "higher" stops a sample if score >= T, "lower" if score < T.
        stop_all: A threshold at which every sample stops.
        stop_none: A threshold at which no sample stops.
    """

    name: ClassVar[str]
    direction: ClassVar[Direction]
    stop_all: ClassVar[float]
    stop_none: ClassVar[float]

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """Compute the score of each sample.

        Args:
            features: What this exit reads, [B, ...].
            logits: What this exit answers, [B, K].
            *earlier: Logits [B, K] of each exit before it, in graph order; for tokens a mask may come last.

        Returns:
            One number per sample, float32 [B]; NaN where the logits are NaN, which stops no sample.
        """
        ...


@runtime_checkable
class FittedScore(Protocol):
    """A score that is fitted after the heads have learned, to what its head and the full network answer."""

    def collect(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """Compute what `fit` needs of each sample; keep it small, because all samples are held in memory.

        Args:
            features: What this exit reads, [B, ...].
            logits: What this exit answers, [B, K].
            *earlier: Logits [B, K] of each exit before it, in graph order; for tokens a mask may come last.

        Returns:
            One row per sample, float32 [B, D].
        """
        ...

    def fit(self, collected: Tensor, targets: Targets) -> None:
        """Fit the score in place; what it learns must be held in buffers, so that it is saved with the weights.

        Args:
            collected: The rows [S, D] of all samples, as `collect` gave them.
            targets: What the head and the full network answer to these samples.

        Raises:
            LearnError: There are no rows, or some are not finite.
        """
        ...
