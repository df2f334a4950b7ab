"""A head that is written down layer by layer."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from offramp.nn._layers import build_layers
from offramp.nn._pooled import ChannelsFirst, is_channels_last


def build_layer_head(shape: tuple[int, ...], classes: int, *, table: str = "") -> nn.Module:
    """The layers of a table, then a linear layer to the classes.

    Args:
        shape: Shape (C, H, W) or (D) of one sample's features.
        classes: Number of logits, at least 2.
        table: Layers such as "pool 2 | relu | conv 3x3 10 pad 1"; see `nn.build_layers` for what may stand in it.

    Returns:
        A module from features to logits.

    Raises:
        OptionError: A layer that is written in another way, or does not fit.
    """
    if not is_channels_last(shape):
        return build_layers(f"{table} | fc {classes}", shape)[0]
    layers, _ = build_layers(f"{table} | fc {classes}", (shape[2], shape[0], shape[1]))
    return nn.Sequential(OrderedDict(channels_first=ChannelsFirst(), **dict(layers.named_children())))
