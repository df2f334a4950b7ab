"""What the scores that learn are fitted to."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What two networks answered to the samples that a score is fitted to; nobody's labels.

    Attributes:
        classes: [S] int64, the full network's answers.
        answers: [S] int64, those of the head whose score is fitted.

    Example:
        >>> import torch
        >>> Targets(classes=torch.tensor([2, 0]), answers=torch.tensor([2, 1])).agrees
        tensor([ True, False])
    """

    classes: Tensor
    answers: Tensor

    @property
    def agrees(self) -> Tensor:
        """[S] True where the head answers like the full network."""
        return self.answers == self.classes
