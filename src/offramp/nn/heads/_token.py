"""Heads without convolutions: for tokens and for vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from offramp.nn._pooled import mean_of_tokens


class TokenHead(nn.Module):
    """Normalized first token and mean token side by side, then two linear layers; no attention.

    The first token is the class token where there is one; the mean serves networks without, and early layers, which
    have not gathered much in the class token yet. Padded tokens count in the mean unless there is a mask.

    Args:
        shape: Shape (T, D) of one sample's features.
        classes: Number of logits, at least 2.
        hidden: Number of features between the two linear layers; 0 means min(D, 256).
    """

    def __init__(self, shape: tuple[int, ...], classes: int, *, hidden: int = 0) -> None:
        super().__init__()
        features = shape[-1]
        hidden = hidden or min(features, 256)
        self.norm = nn.LayerNorm(features)
        self.mix = nn.Linear(2 * features, hidden)
        self.activation = nn.GELU()
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Answer a batch.

        Args:
            features: Tokens [B, T, D].
            mask: [B, T], 0 at padded tokens; None counts all of them.

        Returns:
            Logits [B, K].
        """
        tokens = self.norm(features)
        both = torch.cat([tokens[:, 0], mean_of_tokens(tokens, mask)], dim=1)
        logits: Tensor = self.classifier(self.activation(self.mix(both)))
        return logits


def build_token(shape: tuple[int, ...], classes: int, *, hidden: int = 0) -> nn.Module:
    """The head for tokens; see `TokenHead`.

    Args:
        shape: Shape (T, D) of one sample's features.
        classes: Number of logits, at least 2.
        hidden: Number of features between the two linear layers; 0 means min(D, 256).

    Returns:
        A module from tokens, and their mask if there is one, to logits.
    """
    return TokenHead(shape, classes, hidden=hidden)


def build_vector(shape: tuple[int, ...], classes: int, *, hidden: int = 64) -> nn.Module:
    """Two linear layers with a ReLU between, for features that are one vector per sample.

    Args:
        shape: Shape (D) of one sample's features.
        classes: Number of logits, at least 2.
        hidden: Number of features between the two linear layers.

    Returns:
        A module from vectors to logits.
    """
    return nn.Sequential(nn.Linear(shape[0], hidden), nn.ReLU(), nn.Linear(hidden, classes))
