"""A controller that knows what a head has answered."""

from __future__ import annotations

from torch import Tensor, nn

_LARGEST = 5  # probabilities that it sees: all there is of them in most answers
_WIDTH = 16


class Controller(nn.Module):
    """Learned values of control edges, from features and from how sure a head's answer is.

    The values of both are added. Of the answer it sees the largest probabilities, in falling order; nothing flows back
    into the head.

    Args:
        features: Module from what the head reads to one value per edge, [B, edges].
        classes: Number of logits of the head, at least 2.
        edges: Number of control edges to choose from.

    Example:
        >>> import torch
        >>> controller = Controller(nn.Linear(8, 2), classes=10)
        >>> controller(torch.zeros(3, 8), torch.zeros(3, 10)).shape
        torch.Size([3, 2])
    """

    def __init__(self, features: nn.Module, classes: int, *, edges: int = 2) -> None:
        super().__init__()
        self.features = features
        self._largest = min(classes, _LARGEST)
        self.answer = nn.Sequential(nn.Linear(self._largest, _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, edges))

    def forward(self, *given: Tensor) -> Tensor:
        """Value every control edge for each sample.

        Args:
            *given: What the head reads, in the same order, and as the last tensor the head's logits [B, K].

        Returns:
            The learned values [B, edges]; the control node opens the edge of the highest one.
        """
        *read, logits = given
        probabilities = logits.detach().float().softmax(dim=1)
        values: Tensor = self.features(*read) + self.answer(probabilities.topk(self._largest, dim=1).values)
        return values
