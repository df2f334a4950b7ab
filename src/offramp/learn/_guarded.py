"""Bodies as they train in a conditional graph, where only some of the samples come by."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

FEWEST = 4  # rows; of a single one the variance may not even be defined


class Guarded(nn.Module):
    """A body that does not suffer from what else happens in the graph.

    In training mode batch normalization sees those rows alone that were sent here, as it will when the network answers.
    If they are fewer than `FEWEST`, it takes its running statistics and leaves these as they are.

    Args:
        body: What to guard.
        apart: True lets no gradient flow back to what the body reads.
    """

    def __init__(self, body: nn.Module, *, apart: bool = False) -> None:
        super().__init__()
        self.body, self._apart = body, apart

    def forward(self, *given: Tensor) -> Any:  # Any: one tensor or several
        """What the body gives."""
        read = [tensor.detach() for tensor in given] if self._apart else given
        norms = [layer for layer in self.body.modules() if isinstance(layer, _BatchNorm) and layer.training]
        if not norms or len(given[0]) >= FEWEST:
            return self.body(*read)
        for layer in norms:
            layer.eval()
        try:
            return self.body(*read)
        finally:
            for layer in norms:
                layer.train()
