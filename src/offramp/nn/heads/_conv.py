"""The ConvX head of PTEEnet."""

from __future__ import annotations

from torch import nn

from offramp.nn._pooled import ChannelsFirst, Pooled, is_channels_last


def build_conv(shape: tuple[int, ...], classes: int, *, repeats: int) -> nn.Module:
    """`repeats` times [convolution 3x3, normalization, ReLU] at full resolution, then mean over space, linear layer.

    Strong but dear: on the 16x32x32 maps of a CIFAR ResNet each repeat costs 2.4 M MACs.

    Args:
        shape: Shape (C, H, W) of one sample's features.
        classes: Number of logits, at least 2.
        repeats: Number of convolutions, the X of ConvX: 0 to 3.

    Returns:
        A module from features to logits.

    Reference:
        Lahiany and Aperstein, "PTEEnet: Post-Trained Early-Exit Neural Networks Augmentation for Inference Cost
        Optimization", IEEE Access 10, 2022, the ConvX exit head. Its confidence layer is the option `confidence`.
    """
    layers: list[nn.Module] = []
    if is_channels_last(shape):
        layers.append(ChannelsFirst())
        shape = (shape[2], shape[0], shape[1])
    for _ in range(repeats):
        layers.append(nn.Conv2d(shape[0], shape[0], 3, padding=1, bias=False))
        layers.append(nn.BatchNorm2d(shape[0]))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, Pooled((shape[0], 2, 3)), nn.Linear(shape[0], classes))
