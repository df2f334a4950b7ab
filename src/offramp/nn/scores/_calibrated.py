"""Score: the largest probability, at the temperature at which it is the chance of agreeing."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from offramp.graph import Direction

from ._fitting import check_fitted, check_rows
from ._targets import Targets

_LOWEST, _HIGHEST, _STEPS = -3.0, 3.0, 241  # natural logarithm of the temperatures that are tried


class Calibrated(nn.Module):
    """The largest probability of softmax(logits / t), in [1/K, 1]: the higher, the surer.

    The temperature t is fitted so that the score is, as nearly as one number can make it, the probability that the head
    agrees with the full network. It refuses to answer before `fit`.

    Reference:
        Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. There t
        minimizes the likelihood of labels; here that of agreeing, since no labels are needed.
    """

    name: ClassVar[str] = "calibrated"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = 0.0
    stop_none: ClassVar[float] = 2.0

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.full((), torch.nan))  # NaN means "not fitted"; it stops no sample

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The maximum of softmax(logits / t), for each sample.

        Raises:
            LearnError: `fit` has not been called; not raised while tracing, where values are unknown.
        """
        check_fitted(self.name, lambda: not bool(self.temperature.isnan()))
        return (logits.float() / self.temperature).softmax(dim=1).amax(dim=1)

    def collect(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The logits, [B, K]."""
        return logits.float()

    @torch.no_grad()
    def fit(self, collected: Tensor, targets: Targets) -> None:
        """Choose the temperature at which the score tells best whether the head agrees.

        Raises:
            LearnError: No rows, or rows that are not finite.
        """
        check_rows(self.name, collected)
        tried = torch.linspace(_LOWEST, _HIGHEST, _STEPS, device=collected.device).exp()
        losses = torch.stack([self._loss(collected / temperature, targets.agrees) for temperature in tried])
        self.temperature.copy_(tried[losses.argmin()])

    def _loss(self, logits: Tensor, agrees: Tensor) -> Tensor:
        return binary_cross_entropy(logits.softmax(dim=1).amax(dim=1).clamp(max=1.0), agrees.to(logits.dtype))
