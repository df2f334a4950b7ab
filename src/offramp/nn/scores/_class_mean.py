"""Score: how clearly one class's mean features are the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from offramp.graph import Direction
from offramp.nn._distance import Distances
from offramp.nn._pooled import Pooled

from ._fitting import check_fitted, check_rows
from ._targets import Targets


class ClassMean(nn.Module):
    """The largest of softmax(-distance to each class's mean features), in (0, 1]: the higher, the surer.

    The means of the pooled features come from one pass, class by class of what the full network answers: nothing is
    trained. A class that it never answers has no mean and is never the nearest. The score refuses to answer before
    `fit`.

    Args:
        shape: Shape of one sample's features, without the batch axis.
        classes: Number of logits, at least 2.
        masked: True if features are tokens [B, T, D] whose mask [B, T], 0 at padding, comes after all else.

    Reference:
        Gormez, Dasari and Koyuncu, "E2CM: Early Exit via Class Means for Efficient Supervised and Unsupervised
        Learning", IJCNN 2022, arXiv 2103.01148: the softmax of the negative Euclidean distances, and its maximum
        against a threshold. There the nearest class answers and the classes are labels; here the head answers, and
        the classes are the full network's answers.
    """

    name: ClassVar[str] = "class_mean"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = 0.0
    stop_none: ClassVar[float] = 2.0

    seen: Tensor

    def __init__(self, shape: Sequence[int], classes: int, *, masked: bool = False) -> None:
        super().__init__()
        self.pooled, self._masked = Pooled(shape), masked
        self.distances = Distances(classes, self.pooled.size)
        self.register_buffer("seen", torch.zeros(classes, dtype=torch.bool))

    def forward(self, features: Tensor, logits: Tensor, *others: Tensor) -> Tensor:
        """The maximum of softmax(-distances) over the classes that have a mean, for each sample.

        Raises:
            LearnError: `fit` has not been called; not raised while tracing, where values are unknown.
        """
        check_fitted(self.name, lambda: self.distances.is_set)
        near = torch.where(self.seen, -self.distances(self.collect(features, logits, *others)), -torch.inf)
        score = near.softmax(dim=1).amax(dim=1)
        return torch.where(logits.isnan().any(dim=1), torch.full_like(score, torch.nan), score)

    def collect(self, features: Tensor, logits: Tensor, *others: Tensor) -> Tensor:
        """The pooled features, [B, D]."""
        pooled: Tensor = self.pooled(features, others[-1] if self._masked else None).float()
        return pooled

    @torch.no_grad()
    def fit(self, collected: Tensor, targets: Targets) -> None:
        """Take the mean of the collected features of each class that the full network answers.

        Raises:
            LearnError: No rows, or rows that are not finite.
        """
        check_rows(self.name, collected)
        member = one_hot(targets.classes, len(self.seen)).to(collected.dtype)
        count = member.sum(dim=0)
        self.distances.set_means(member.T @ collected / count.clamp(min=1)[:, None])
        self.seen.copy_(count > 0)
