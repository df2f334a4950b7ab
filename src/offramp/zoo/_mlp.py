"""A small multilayer perceptron."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def mlp(classes: int = 10, *, features: int = 784, hidden: tuple[int, ...] = (256, 128, 64)) -> nn.Sequential:
    """A perceptron with ReLU between its linear layers, and random weights.

    Args:
        classes: Number of classes, at least 2.
        features: Count of numbers per sample; anything of that size is flattened first.
        hidden: Number of features of each hidden layer, in order.

    Returns:
        The network with random weights.

    Example:
        >>> import torch
        >>> mlp()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for width_in, width_out in pairwise((features, *hidden)):
        layers += [nn.Linear(width_in, width_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1] if hidden else features, classes))
