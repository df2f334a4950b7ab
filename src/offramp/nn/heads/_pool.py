"""The cheapest head: pool, then one linear layer."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from offramp.nn._pooled import Pooled, mean_of_tokens


def build_pool(shape: tuple[int, ...], classes: int, *, norm: bool = False) -> nn.Module:
    """EENet's exit block, whose confidence layer is the option `confidence`: mean over space, linear layer.

    Args:
        shape: Of one sample's features; tokens are averaged like pixels, a vector is taken as it is.
        classes: Number of logits.
        norm: True puts a batch normalization over the channels in front (`bnpool` of the authors' code).

    Reference:
        Demir and Akbas, "Early-exit Convolutional Neural Networks", arXiv 2409.05336, 2024, the exit block. There the
        normalization sits in a plain list and is never trained; here it is trained. It stands behind the mean: the
        two commute, and the vector is cheaper.
    """
    pooled = Pooled(shape)
    layers: OrderedDict[str, nn.Module] = OrderedDict(pool=pooled)
    if norm:
        layers["norm"] = nn.BatchNorm1d(pooled.size)
    layers["classifier"] = nn.Linear(pooled.size, classes)
    return nn.Sequential(layers)


class TokenPool(nn.Module):
    """The same for tokens: a mean that leaves out padded ones where a mask says which they are.

    Args:
        shape: (T, D) of one sample's features.
        classes: Number of logits.
        norm: As for `build_pool`.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, *, norm: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(shape[1]) if norm else nn.Identity()
        self.classifier = nn.Linear(shape[1], classes)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits [B, K] of tokens [B, T, D]; the mask [B, T] is 0 at padded ones."""
        logits: Tensor = self.classifier(self.norm(mean_of_tokens(features, mask)))
        return logits


def build_token_pool(shape: tuple[int, ...], classes: int, *, norm: bool = False) -> nn.Module:
    """The head for tokens; see `TokenPool`."""
    return TokenPool(shape, classes, norm=norm)
