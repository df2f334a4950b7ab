"""Losses of EENet and PTEEnet: exits and their confidences learn together, and compute has a price.

All in log space: probabilities that leave a softmax as 0 would give an infinite loss.

Shape letters: N early exits, B batch, K classes. Exit N is the final one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

CumulativeLoss = Literal["v0", "v1", "v2", "v3", "v4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitOutputs:
    """What all exits answer to a batch, what they should answer, and what it costs.

    Attributes:
        log: [N + 1, B, K] logarithms of the exits' probabilities p.
        odds: [N, B] log-odds of the early exits' confidences h.
        targets: [B, K] probabilities to learn.
        costs: [N + 1] cost c of answering at each exit, relative to the backbone.
        price: Lambda, what one backbone's compute may cost, in nats.
    """

    log: Tensor
    odds: Tensor
    targets: Tensor
    costs: Tensor
    price: float


def mix_answers(log: Tensor, odds: Tensor) -> Tensor:
    """The logarithms of P_n = h_n p_n + (1 - h_n) P_(n+1), with P_N = p_N.

    P_n is the answer to expect of a sample that came as far as exit n, if a coin of probability h decides at each exit.

    Args:
        log: [N + 1, B, K] logarithms of p.
        odds: [N, B] log-odds of h.

    Returns:
        Logarithms [N + 1, B, K].

    Example:
        >>> p = torch.tensor([[[0.75, 0.25]], [[0.25, 0.75]]])
        >>> mix_answers(p.log(), torch.zeros(1, 1)).exp()
        tensor([[[0.5000, 0.5000]],
        <BLANKLINE>
                [[0.2500, 0.7500]]])
    """
    mixed = [log[-1]]
    for at in reversed(range(len(odds))):
        stop, go = logsigmoid(odds[at])[:, None], logsigmoid(-odds[at])[:, None]
        mixed.append(torch.logaddexp(stop + log[at], go + mixed[-1]))
    return torch.stack(mixed[::-1])


def mix_costs(costs: Tensor, odds: Tensor) -> Tensor:
    """The costs to expect of a sample that came as far as exit n: C_n = h_n c_n + (1 - h_n) C_(n+1), with C_N = c_N.

    Args:
        costs: [N + 1] cost c of answering at each exit.
        odds: [N, B] log-odds of h.

    Returns:
        Costs [N + 1, B].

    Example:
        >>> mix_costs(torch.tensor([0.2, 1.0]), torch.zeros(1, 1))
        tensor([[0.6000],
                [1.0000]])
    """
    confidence = odds.sigmoid()
    mixed = [costs[-1].expand(odds.shape[1])]
    for at in reversed(range(len(odds))):
        mixed.append(confidence[at] * costs[at] + (1 - confidence[at]) * mixed[-1])
    return torch.stack(mixed[::-1])


def cumulative_losses(outputs: ExitOutputs, loss: CumulativeLoss) -> Tensor:
    """The terms of a loss, by exit from the first on; their sum is what training makes smaller.

    With NLL(q) the cross-entropy of q against the targets, o_n = NLL(p_n) + lambda c_n, and means over the batch:

    * v0, n < N: NLL(p_n). The heads alone; confidences learn nothing.
    * v1, n = 0: NLL(P_0) + lambda C_0.
    * v2, n < N: NLL(P_n) + lambda C_n, equation (4).
    * v3, n <= N: w_n o_n, where w_n is the batch's mean confidence as a share of the sum over all exits.
    * v4, n < N: o_n of the samples whose tag is n, plus the class-balanced cross-entropy of h_n against "the tag is n".
      A sample's tag is the exit with its least o.

    Args:
        outputs: What the exits answer to a batch.
        loss: Which of the losses above.

    Returns:
        One term per exit that the loss names.

    Reference:
        Lahiany and Aperstein, "PTEEnet", IEEE Access 10, 2022, equations (1) to (4): both recursions and v2; Demir and
        Akbas, "Early-exit Convolutional Neural Networks", arXiv 2409.05336, 2024, and its public code for the others.
        There v2 has the final exit's own term too, which is constant with a frozen backbone. The final exit has no
        confidence here, since no gate asks it: in v3 it counts as 1, in v4 it has no cross-entropy. Tags belonged to
        the places of a batch there, while the samples were shuffled; here each batch's are computed from the heads as
        they are, so each belongs to its sample.
    """
    return _LOSSES[loss](outputs)


def _misses(log: Tensor, targets: Tensor) -> Tensor:
    """[..., B] cross-entropies."""
    return -(targets * log).sum(dim=-1)


def _heads_alone(outputs: ExitOutputs) -> Tensor:
    return _misses(outputs.log[:-1], outputs.targets).mean(dim=1)


def _each_exit(outputs: ExitOutputs) -> Tensor:
    misses = _misses(mix_answers(outputs.log, outputs.odds)[:-1], outputs.targets)
    return (misses + outputs.price * mix_costs(outputs.costs, outputs.odds)[:-1]).mean(dim=1)


def _first_exit(outputs: ExitOutputs) -> Tensor:
    return _each_exit(outputs)[:1]


def _own(outputs: ExitOutputs) -> Tensor:
    """[N + 1, B] NLL(p_n) + lambda c_n."""
    return _misses(outputs.log, outputs.targets) + outputs.price * outputs.costs[:, None]


def _weighted_exits(outputs: ExitOutputs) -> Tensor:
    share = torch.cat([outputs.odds.sigmoid().mean(dim=1), outputs.odds.new_ones(1)])
    return share / share.sum() * _own(outputs).mean(dim=1)


def _tagged_exits(outputs: ExitOutputs) -> Tensor:
    own = _own(outputs)
    tags = own.detach().argmin(dim=0)
    member = (tags == torch.arange(len(outputs.odds), device=tags.device)[:, None]).to(own.dtype)
    rate = member.mean(dim=1, keepdim=True)
    balance = member * (1 - rate) + (1 - member) * rate
    sure = binary_cross_entropy_with_logits(outputs.odds, member, weight=balance, reduction="none")
    return (member * own[:-1] + sure).mean(dim=1)


_LOSSES: Mapping[CumulativeLoss, Callable[[ExitOutputs], Tensor]] = {
    "v0": _heads_alone,
    "v1": _first_exit,
    "v2": _each_exit,
    "v3": _weighted_exits,
    "v4": _tagged_exits,
}
