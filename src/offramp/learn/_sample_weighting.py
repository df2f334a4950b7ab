"""How much a sample counts at an exit that may never see it.

Shape letters: B batch, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

_WIDTH = 0.1  # of the step between the samples that leave and those that stay, as a share of all samples
_LEAST = 1e-3  # chance of staying: after many exits no sample would be left to learn from


def weigh_by_arrival(stays: Tensor, amount: float) -> Tensor:
    """How much each sample counts: (1 - a) + a stays, divided by its mean over the batch; exactly 1 for a = 0.

    Args:
        stays: [B] chance that a sample comes this far, in (0, 1].
        amount: The a above, in [0, 1].

    Returns:
        Weights [B] with a mean of 1.

    Reference:
        "CalexNet", arXiv 2509.08318, 2025, survivor-weighted training. We know its abstract alone: formula and schedule
        are ours.
    """
    share = (1 - amount) + amount * stays
    return share / share.mean()


@torch.no_grad()
def stay_on(stays: Tensor, logits: Tensor, teacher: Tensor) -> Tensor:
    """The chance that a sample comes past an exit.

    Of the samples that come there, as many leave as agree with the full network, the surest first, with a smooth step
    between the two groups. Only the order of the samples counts, so it does not matter how well the head is
    calibrated; and a head that has not learned yet, which agrees with few, lets few go.

    Args:
        stays: [B] chance that a sample comes to the exit, in (0, 1].
        logits: Logits [B, K] of the exit.
        teacher: Logits [B, K] of the full network.

    Returns:
        Chances [B], at least 1e-3.

    Example:
        >>> logits = torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [0.0, 4.0]])
        >>> stay_on(torch.ones(4), logits, teacher=torch.tensor([[0.0, 1.0], [1.0, 0.0]] * 2)).round(decimals=1)
        tensor([1.0000, 0.8000, 0.2000, 0.0000])
    """
    logits = logits.float()
    agrees = (logits.argmax(dim=1) == teacher.argmax(dim=1)).float()
    leaving = (stays * agrees).sum() / stays.sum()
    order = logits.softmax(dim=1).amax(dim=1).argsort(stable=True)
    ahead = stays[order].cumsum(dim=0) - stays[order] / 2
    rank = torch.empty_like(stays).index_copy(0, order, ahead / stays.sum())  # 0: the least sure, 1: the surest
    return (stays * torch.sigmoid((1 - leaving - rank) / _WIDTH)).clamp(min=_LEAST)
