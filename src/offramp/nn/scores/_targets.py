"""What the scores that learn are fitted to."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What two networks answered to the samples that a score is fitted to; no labels are needed.

    Attributes:
        classes: [S] int64, the classes that the full network answers.
        answers: [S] int64, the classes that the head answers whose score is fitted.

    Example:
        >>> import torch
        >>> Targets(classes=torch.tensor([2, 0]), answers=torch.tensor([2, 1])).agrees
        tensor([ True, False])
    """

    classes: Tensor
    answers: Tensor

    @property
    def agrees(self) -> Tensor:
        """True [S] where the head answers like the full network."""
        return self.answers == self.classes
