"""Heads without convolutions: for tokens and for vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from offramp.nn._pooled import mean_of_tokens


class TokenHead(nn.Module):
    """Normalized first token and mean token side by side, then two linear layers; no attention.

    The first token is the class token where there is one; the mean serves networks without, and early layers, which
    have not gathered much in the class token yet. Padded tokens count in the mean unless a mask says where they are.

    Args:
        shape: (T, D) of one sample's features.
        classes: Number of logits.
        hidden: Width between the two linear layers; 0 means min(D, 256).
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
        """Logits [B, K] of tokens [B, T, D]; the mask [B, T] is 0 at padded ones."""
        tokens = self.norm(features)
        both = torch.cat([tokens[:, 0], mean_of_tokens(tokens, mask)], dim=1)
        logits: Tensor = self.classifier(self.activation(self.mix(both)))
        return logits


def build_token(shape: tuple[int, ...], classes: int, *, hidden: int = 0) -> nn.Module:
    """The token head; see `TokenHead`."""
    return TokenHead(shape, classes, hidden=hidden)


def build_vector(shape: tuple[int, ...], classes: int, *, hidden: int = 64) -> nn.Module:
    """Two linear layers with a ReLU between, for features that are one vector per sample.

    Args:
        shape: (D) of one sample's features.
        classes: Number of logits.
        hidden: Width between the two linear layers.
    """
    return nn.Sequential(nn.Linear(shape[0], hidden), nn.ReLU(), nn.Linear(hidden, classes))
