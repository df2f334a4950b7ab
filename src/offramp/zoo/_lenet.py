"""LeNet-5, the network of the demo."""

from __future__ import annotations

from torch import Tensor, nn


class LeNet5(nn.Module):
    """Two convolutions and three linear layers for 1x28x28 pictures.

    As in the paper, but with ReLU, max pooling and full connections, as it is trained today.

    Args:
        classes: Number of classes, at least 2.

    Reference:
        LeCun et al., "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 1998, section II B.
    """

    def __init__(self, classes: int = 10) -> None:
        """Make the layers with random weights."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(120, 84)
        self.relu4 = nn.ReLU()
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Answer a batch.

        Args:
            x: Pictures [B, 1, 28, 28].

        Returns:
            Logits [B, K].
        """
        for layer in self.children():
            x = layer(x)
        return x


def lenet5(classes: int = 10) -> LeNet5:
    """A LeNet-5; see `LeNet5`.

    Args:
        classes: Number of classes, at least 2.

    Returns:
        The network with random weights.
    """
    return LeNet5(classes)
