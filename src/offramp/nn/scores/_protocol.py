"""What an outsider implements to add a score."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor

from offramp.graph import Direction

from ._targets import Targets


class Score(Protocol):
    """How sure a head is, one number per sample; in practice an `nn.Module`.

    Attributes:
        name: As users write it.
        direction: "higher" stops a sample if score >= T, "lower" if score < T.
        stop_all: A threshold at which every sample stops.
        stop_none: A threshold at which no sample stops.
    """

    name: ClassVar[str]
    direction: ClassVar[Direction]
    stop_all: ClassVar[float]
    stop_none: ClassVar[float]

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """Float32 [B] from this exit's features, its head's logits [B, K] and those of the heads before it."""
        ...


@runtime_checkable
class FittedScore(Protocol):
    """A score that learns, after the heads, from what its head and the full network answer."""

    def collect(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """What `fit` needs of each sample, [B, D]: small, because it is kept for all samples."""
        ...

    def fit(self, collected: Tensor, targets: Targets) -> None:
        """Fit the state in place to the collected rows [S, D] and both answers to each; it must end in buffers."""
        ...
