"""Bodies as they train in a conditional graph, where only some of the samples come by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

FEWEST = 4  # rows; of a single one the variance may not even be defined


class RoutedBody(nn.Module):
    """A body that does not suffer from what else happens in the graph.

    In training mode batch normalization sees those rows alone that were sent here, as it will when the network answers.
    If they are fewer than `FEWEST`, it takes its running statistics and leaves these as they are.

    Args:
        body: The body that learns.
        apart: True lets no gradient flow back to what the body reads.
        exact: True computes in float32 where autocast would not: bfloat16 knows numbers near 1 in steps of 1/128.
    """

    def __init__(self, body: nn.Module, *, apart: bool = False, exact: bool = False) -> None:
        super().__init__()
        self.body, self._apart, self._exact = body, apart, exact

    def forward(self, *given: Tensor) -> Any:  # Any: one tensor or several
        """Run the body.

        Args:
            *given: What it reads, the batch first.

        Returns:
            What the body gives.
        """
        read = [tensor.detach() for tensor in given] if self._apart else given
        if not self._exact:
            return self._run(read)
        with torch.autocast(given[0].device.type, enabled=False):
            return self._run([tensor.float() if tensor.is_floating_point() else tensor for tensor in read])

    def _run(self, read: Sequence[Tensor]) -> Any:  # Any: one tensor or several
        norms = [layer for layer in self.body.modules() if isinstance(layer, _BatchNorm) and layer.training]
        if not norms or len(read[0]) >= FEWEST:
            return self.body(*read)
        for layer in norms:
            layer.eval()
        try:
            return self.body(*read)
        finally:
            for layer in norms:
                layer.train()
