"""VGG-19 for CIFAR, with batch normalization and small linear layers."""

from __future__ import annotations

from torch import nn

from offramp.nn import build_layers

_SHAPE = (3, 32, 32)
_GROUPS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # width and number of the convolutions between two pools


def vgg19(classes: int = 10) -> nn.Sequential:
    """A VGG-19 with random weights for 3x32x32 pictures; 398.7 M multiply-accumulates.

    Args:
        classes: Number of classes, at least 2.

    Returns:
        The network with random weights.

    Example:
        >>> [name for name, _ in vgg19().named_children()][-4:]
        ['dropout2', 'fc2', 'relu18', 'fc3']

    Reference:
        Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
        configuration E; two linear layers of 512 with dropout, as PTEEnet's public code has it.
    """
    groups = [f"{f'conv 3x3 {width} pad 1 | bn | relu | ' * count}pool 2" for width, count in _GROUPS]
    linear = "flatten | dropout 0.5 | fc 512 | relu | dropout 0.5 | fc 512 | relu"
    return build_layers(" | ".join([*groups, linear, f"fc {classes}"]), _SHAPE)[0]
