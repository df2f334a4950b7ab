"""How good the answers to some samples are, as one number between 0 and 1 per mini-bag.

Shape letters: N mini-bags, M samples of each, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from offramp.errors import LearnError

SetMetric = Literal["accuracy", "f1", "precision", "recall"]
OwnMetric = Callable[[NDArray[np.int64], NDArray[np.int64]], float]


def judge_bags(
    answers: Tensor, right: Tensor, metric: SetMetric | OwnMetric, *, classes: int, positive: int | None = None
) -> Tensor:
    """The metric of each mini-bag.

    With TP the samples answered with a class that is right, precision is TP over those answered with it, recall TP over
    those that belong to it, f1 their harmonic mean; of the positive class, or the mean over the classes that occur.
    Where there is nothing to find and nothing was claimed, all three are 1; where there is only nothing to claim or
    only nothing to find, the quotient with denominator 0 is 0 for precision, and 1 for recall.

    Args:
        answers: The answered classes [N, M] int64.
        right: The right classes [N, M] int64.
        metric: Name of a metric, or a function of answers and right classes of one mini-bag.
        classes: K, the number of classes.
        positive: The class that f1, precision and recall look for; None takes the mean over the classes that occur.

    Returns:
        One number in [0, 1] per mini-bag, [N].

    Raises:
        LearnError: A function gives something else than a number between 0 and 1.

    Example:
        >>> answers, right = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]]), torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0]])
        >>> judge_bags(answers, right, "f1", classes=2, positive=1)
        tensor([0.4000, 1.0000])
    """
    if callable(metric):
        return _judge_by_own(answers, right, metric)
    if metric == "accuracy":
        return (answers == right).float().mean(dim=1)
    claimed, real = one_hot(answers, classes), one_hot(right, classes)
    counts = [each.sum(dim=1).float() for each in (claimed & real, claimed, real)]
    values = _quotient(metric, *counts)
    if positive is not None:
        return values[:, positive]
    occurs = (counts[1] + counts[2] > 0).float()
    return (values * occurs).sum(dim=1) / occurs.sum(dim=1)


def _quotient(metric: SetMetric, hit: Tensor, claimed: Tensor, real: Tensor) -> Tensor:
    """[N, K] of each class."""
    above, below = {"precision": (hit, claimed), "recall": (hit, real), "f1": (2 * hit, claimed + real)}[metric]
    nothing = real == 0 if metric == "recall" else claimed + real == 0
    return torch.where(nothing, 1.0, above / below.clamp(min=1))


def _judge_by_own(answers: Tensor, right: Tensor, metric: OwnMetric) -> Tensor:
    pairs = zip(answers.cpu().numpy(), right.cpu().numpy(), strict=True)
    values = [float(metric(answer, truth)) for answer, truth in pairs]
    wrong = [value for value in values if not 0 <= value <= 1]
    if wrong:
        raise LearnError(f"a metric must give numbers from 0 to 1, but gave {wrong[0]}. Scale it, and replace NaN.")
    return torch.tensor(values, device=answers.device)
