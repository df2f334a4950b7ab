"""The cheapest head: pool, then one linear layer."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from offramp.nn._pooled import Pooled, mean_of_tokens


def build_pool(shape: tuple[int, ...], classes: int, *, norm: bool = False) -> nn.Module:
    """EENet's exit block, whose confidence layer is the option `confidence`: mean over space, linear layer.

    Args:
        shape: Shape of one sample's features; tokens are averaged like pixels, a vector is taken as it is.
        classes: Number of logits, at least 2.
        norm: True puts a batch normalization over the channels in front (`bnpool` of the authors' code).

    Returns:
        A module from features to logits.

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
    """The same for tokens: a mean that leaves out the padded ones if there is a mask.

    Args:
        shape: Shape (T, D) of one sample's features.
        classes: Number of logits, at least 2.
        norm: True puts a batch normalization over the features in front.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, *, norm: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(shape[1]) if norm else nn.Identity()
        self.classifier = nn.Linear(shape[1], classes)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Answer a batch.

        Args:
            features: Tokens [B, T, D].
            mask: [B, T], 0 at padded tokens; None counts all of them.

        Returns:
            Logits [B, K].
        """
        logits: Tensor = self.classifier(self.norm(mean_of_tokens(features, mask)))
        return logits


def build_token_pool(shape: tuple[int, ...], classes: int, *, norm: bool = False) -> nn.Module:
    """The head for tokens; see `TokenPool`.

    Args:
        shape: Shape (T, D) of one sample's features.
        classes: Number of logits, at least 2.
        norm: True puts a batch normalization over the features in front.

    Returns:
        A module from tokens, and their mask if there is one, to logits.
    """
    return TokenPool(shape, classes, norm=norm)
