"""A head that reads the logits of the heads before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear


class LogitReuseHead(nn.Module):
    """A head whose logits are corrected by the heads before it: K^2 multiply-accumulates more.

    The mean of their log-probabilities, layer-normalized, goes through one linear layer and is added. It does not
    matter how many they are or in which order they come, so exits may be dropped later; without any, the head answers
    alone. The layer starts at zero, as the plain head, and nothing flows back into the earlier heads. A head that gives
    its confidence too gives it as before: it learns beside the corrected logits, so it learns what they are worth.

    Args:
        head: Module from features to logits, or to logits and a confidence; see `ConfidentHead`.
        classes: Number of logits of every head, at least 2.
        reads: Number of tensors the head takes: 1 for features alone, 2 for tokens and their mask.

    Example:
        >>> alone = nn.Linear(8, 3)
        >>> features, earlier = torch.ones(2, 8), torch.ones(2, 3)
        >>> torch.equal(LogitReuseHead(alone, 3)(features, earlier), alone(features))
        True

    Reference:
        Wolczyk et al., "Zero Time Waste: Recycling Predictions in Early Exit Neural Networks", NeurIPS 2021, the
        cascade connections. There a head reads the one before it alone, beside its features.
    """

    def __init__(self, head: nn.Module, classes: int, *, reads: int = 1) -> None:
        super().__init__()
        self.head, self._reads = head, reads
        self.weight = nn.Parameter(torch.zeros(classes, classes))  # nothing drawn: heads start as they would without it

    def forward(self, *given: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Answer a batch.

        Args:
            *given: What the head takes, `reads` tensors, and then the logits [B, K] of each earlier head.

        Returns:
            The corrected logits [B, K]; with a head that gives its confidence too, a pair of both.
        """
        answer: Tensor | tuple[Tensor, Tensor] = self.head(*given[: self._reads])
        if isinstance(answer, Tensor):
            return self._correct(answer, given[self._reads :])
        logits, confidence = answer
        return self._correct(logits, given[self._reads :]), confidence

    def _correct(self, logits: Tensor, earlier: tuple[Tensor, ...]) -> Tensor:
        if not earlier:
            return logits
        mean = torch.stack([each.detach().float().log_softmax(dim=1) for each in earlier]).mean(dim=0)
        return logits + linear(layer_norm(mean, mean.shape[1:]), self.weight)
