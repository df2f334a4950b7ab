"""A head that gives its confidence too: EENet's confidence layer."""

from __future__ import annotations

from torch import Tensor, nn

from offramp.errors import OptionError


class ConfidentHead(nn.Module):
    """Two linear layers side by side on the same features: one gives the logits, one the confidence.

    The confidence is given before its sigmoid: `learn.cumulative` mixes exits in log space, and the score
    `head_confidence` applies the sigmoid.

    Args:
        features: Module from what the exit carries to vectors [B, D].
        classifier: Linear layer from these vectors to the logits.

    Example:
        >>> import torch
        >>> head = ConfidentHead(nn.Flatten(), nn.Linear(16, 10))
        >>> [tuple(given.shape) for given in head(torch.zeros(2, 1, 4, 4))]
        [(2, 10), (2,)]

    Reference:
        Demir and Akbas, "Early-exit Convolutional Neural Networks", arXiv 2409.05336, 2024, the exit block; Lahiany
        and Aperstein, "PTEEnet", IEEE Access 10, 2022, the same behind convolutions.
    """

    def __init__(self, features: nn.Module, classifier: nn.Linear) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier
        self.confidence = nn.Linear(classifier.in_features, 1)

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Answer a batch.

        Args:
            *given: The features [B, ...], and for tokens their mask [B, T], 0 at padding.

        Returns:
            Logits [B, K], and the log-odds [B] of the confidence.
        """
        vectors = self.features(*given)
        return self.classifier(vectors), self.confidence(vectors).squeeze(1)


def add_confidence(head: nn.Module) -> ConfidentHead:
    """The head with a confidence layer beside its last layer, which must be linear; it takes the head apart.

    Args:
        head: Head whose last child is a linear layer; it must not be used afterwards.

    Returns:
        A head with the same weights and a fresh confidence layer.

    Raises:
        OptionError: The last layer is another one.
    """
    name, last = list(head.named_children())[-1]
    if not isinstance(last, nn.Linear):
        raise OptionError(f"a confidence layer goes beside a last linear layer, but the head ends in {last}. Leave it.")
    setattr(head, name, nn.Identity())
    return ConfidentHead(head, last)
