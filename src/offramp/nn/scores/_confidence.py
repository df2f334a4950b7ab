"""Score: a learned confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from offramp.graph import Direction
from offramp.nn._pooled import Pooled

from ._fitting import check_fitted, check_rows
from ._targets import Targets

_SUMMARY = 4  # columns that describe the logits: see `collect`
_DECAY = 1e-3  # of the weights on standardized columns; a head with few mistakes separates them perfectly otherwise


class Confidence(nn.Module):
    """The learned probability that the head agrees with the full network, in [0, 1]: the higher, the surer.

    A logistic regression on the pooled features and a summary of the logits (largest probability, margin, entropy,
    log-odds of the largest probability). It refuses to answer before `fit`.

    Args:
        shape: Shape of one sample's features, without the batch axis.
        classes: Number of logits, at least 2.
        masked: True if features are tokens [B, T, D] whose mask [B, T], 0 at padding, comes after all else.

    Reference:
        Demir and Akbas, "Early-exit Convolutional Neural Networks", arXiv 2409.05336, 2024, the confidence layer h.
        There it learns with the head and sees the features alone; here it learns afterwards, and sees the logits too.
    """

    name: ClassVar[str] = "confidence"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = 0.0
    stop_none: ClassVar[float] = 2.0

    weight: Tensor
    bias: Tensor

    def __init__(self, shape: Sequence[int], classes: int, *, masked: bool = False) -> None:
        super().__init__()
        self.pooled, self._masked = Pooled(shape), masked
        self.classes = classes
        # NaN means "not fitted", and survives saving and loading. NaN stops no sample.
        self.register_buffer("weight", torch.full((self.pooled.size + _SUMMARY,), torch.nan))
        self.register_buffer("bias", torch.full((), torch.nan))

    def forward(self, features: Tensor, logits: Tensor, *others: Tensor) -> Tensor:
        """sigmoid(weight . columns + bias), for each sample.

        Raises:
            LearnError: `fit` has not been called; not raised while tracing, where values are unknown.
        """
        check_fitted(self.name, lambda: not bool(self.bias.isnan()))
        return torch.sigmoid(self.collect(features, logits, *others) @ self.weight + self.bias)

    def collect(self, features: Tensor, logits: Tensor, *others: Tensor) -> Tensor:
        """The columns of the regression: pooled features, then four that describe the logits."""
        log = logits.float().log_softmax(dim=1)
        probability = log.exp()
        top = probability.topk(2, dim=1).values
        entropy = -(probability * log).sum(dim=1)
        odds = top[:, 0].clamp(max=1 - 1e-6).logit()
        return torch.cat(
            [
                self.pooled(features, others[-1] if self._masked else None).float(),
                torch.stack([top[:, 0], top[:, 0] - top[:, 1], entropy, odds], 1),
            ],
            1,
        )

    @torch.no_grad()
    def fit(self, collected: Tensor, targets: Targets) -> None:
        """Fit weight and bias, so that the score is the probability that the head agrees.

        Raises:
            LearnError: No rows, or rows that are not finite.
        """
        check_rows(self.name, collected)
        mean, deviation = collected.mean(dim=0), collected.std(dim=0, correction=0).clamp(min=1e-6)
        weight = _regress((collected - mean) / deviation, targets.agrees.to(collected.dtype))
        self.weight.copy_(weight[:-1] / deviation)
        self.bias.copy_(weight[-1] - (weight[:-1] * mean / deviation).sum())


@torch.enable_grad()
def _regress(rows: Tensor, targets: Tensor) -> Tensor:
    """Weights and, last, bias of a logistic regression with a small decay, by full-batch L-BFGS."""
    weight = torch.zeros(rows.shape[1] + 1, dtype=rows.dtype, device=rows.device, requires_grad=True)
    solver = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = (
            binary_cross_entropy_with_logits(rows @ weight[:-1] + weight[-1], targets) + _DECAY * weight.square().sum()
        )
        value.backward()  # type: ignore[no-untyped-call]  # PyTorch's own
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]  # also PyTorch's own
    return weight.detach()
