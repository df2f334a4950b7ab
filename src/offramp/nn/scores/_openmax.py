"""Score: the probability of the likeliest known class, after what lies far from its class has become unknown.

Shape letters: B batch, K classes, R rows of one class.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import weibull_min
from torch import Tensor, nn

from offramp.graph import Direction
from offramp.nn._distance import Distances

from ._fitting import check_fitted, check_rows
from ._targets import Targets

_TAIL = 20  # largest distances that a Weibull distribution is fitted to (the paper's eta)
_RANKS = 10  # classes whose activation is weighed (the paper's alpha)
_FEWEST = 5  # distances below which a class has no distribution of its own
_FAR = 80.0  # exp(-80) is 0 for a score; keeps infinities out of the engines
_UNKNOWN = (-1.0, 1e-3, 1.0)  # start, scale and shape at which every distance, 0 too, is too far
_SHAPES = (0.1, 50.0)  # limits of a fitted shape: equal distances would give an infinite one


class OpenMax(nn.Module):
    """The probability of the likeliest known class in OpenMax, in [0, 1]: the higher, the surer.

    Each class has the mean logits of the rows that head and full network both give to it, and a Weibull distribution
    of how far the farthest of these lie from that mean. The logits of the likeliest classes lose the share that their
    distance makes improbable; what they lose is the logit of an unknown class. The score refuses to answer before
    `fit`.

    A class on which the two never agree is unknown: every distance counts as too far. One with fewer than 5 such
    rows takes the distribution of all classes together, around its own mean.

    Args:
        classes: Number of logits, at least 2.

    Reference:
        Bendale and Boult, "Towards Open Set Deep Networks", CVPR 2016, algorithms 1 and 2, with tail 20 and the first
        10 classes weighed; the first class by its whole probability, as the authors' code does. There the unknown
        class rejects; here the score is what is left for the best known one, since a gate asks whether this head may
        answer, and an input between two known classes must go on too. The tail starts at the largest distance outside
        it, which is 0 if there is none. Logits are taken as they are. Tried on the digits (LeNet-5, one exit), area up
        to 1 % of changed answers: so 0.49; moved so that each row's mean is 0: 0.43; so that its smallest is 0, which
        lets the runners-up outweigh the first: 0.16.
    """

    name: ClassVar[str] = "openmax"
    direction: ClassVar[Direction] = "higher"
    stop_all: ClassVar[float] = 0.0
    stop_none: ClassVar[float] = 2.0

    start: Tensor
    scale: Tensor
    shape: Tensor
    weights: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.distances = Distances(classes, classes)
        for name in ("start", "scale", "shape"):  # of each class's distribution; NaN means "not fitted"
            self.register_buffer(name, torch.full((classes,), torch.nan))
        ranks = min(_RANKS, classes)
        weights = torch.cat([torch.arange(ranks, 0, -1) / ranks, torch.zeros(classes - ranks)])
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The maximum over the known classes of softmax([unknown, weighed logits]), for each sample.

        Raises:
            LearnError: `fit` has not been called; not raised while tracing, where values are unknown.
        """
        check_fitted(self.name, lambda: self.distances.is_set)
        logits = logits.float()
        beyond = ((self.distances(logits) - self.start) / self.scale).clamp(min=0)
        far = 1 - torch.exp(-beyond.pow(self.shape).clamp(max=_FAR))
        activation, order = logits.sort(dim=1, descending=True)
        lost = activation * self.weights * far.gather(1, order)
        known = torch.cat([lost.sum(dim=1, keepdim=True), activation - lost], dim=1).softmax(dim=1)[:, 1:].amax(dim=1)
        return torch.where(logits.isnan().any(dim=1), torch.full_like(known, torch.nan), known)

    def collect(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        """The logits, [B, K]."""
        return logits.float()

    @torch.no_grad()
    def fit(self, collected: Tensor, targets: Targets) -> None:
        """Fit mean and distribution of each class to the logits of the samples on which head and network agree.

        Raises:
            LearnError: No rows, or rows that are not finite.
        """
        check_rows(self.name, collected)
        rows, classes = collected[targets.agrees], targets.classes[targets.agrees]
        means = torch.zeros_like(self.distances.means)
        for one in set(classes.tolist()):
            means[one] = rows[classes == one].mean(dim=0)
        self.distances.set_means(means)
        # Not by `self.distances`: a single row lies at its own mean, and there the fast way has few digits.
        apart = (rows - means[classes]).norm(dim=1).double().cpu().numpy()
        fitted = _fit_classes(apart, classes.cpu().numpy(), len(means))
        for buffer, column in zip((self.start, self.scale, self.shape), fitted.T, strict=True):
            buffer.copy_(torch.from_numpy(column))


def _fit_classes(apart: NDArray[np.float64], classes: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """[K, 3] start, scale and shape of the distribution of each class's largest distances."""
    together = _fit_tail(apart)
    fitted = np.tile(np.array(_UNKNOWN), (count, 1))
    for one in np.unique(classes):
        here = apart[classes == one]
        own = _fit_tail(here) if len(here) >= _FEWEST else None
        fitted[one] = own or together or _UNKNOWN
    return fitted


def _fit_tail(apart: NDArray[np.float64]) -> tuple[float, float, float] | None:
    """Start, scale and shape of the distribution of the largest distances; None if they are too few or all 0."""
    ordered = np.sort(apart)[::-1]
    start = float(ordered[_TAIL]) if len(ordered) > _TAIL else 0.0
    tail = ordered[:_TAIL] - start
    unit = float(tail.mean()) if len(tail) else 0.0
    if len(tail) < _FEWEST or unit <= 1e-12 * max(1.0, start):
        return None
    if np.ptp(tail) <= 1e-6 * unit:
        return start, unit, _SHAPES[1]
    with np.errstate(all="ignore"):  # the solver tries shapes at which powers overflow
        shape, _, scale = weibull_min.fit(np.maximum(tail / unit, 1e-6), 1.0, floc=0, scale=1.0)
    return start, float(scale) * unit, float(np.clip(shape, *_SHAPES))
