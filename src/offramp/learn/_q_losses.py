"""What control nodes and class scores learn from a reward.

Shape letters: G control nodes, B batch, N mini-bags of M = B / N samples, K classes.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

Regular = Literal["q", "cross_entropy", "frozen"]


def control_losses(values: Tensor, ran: Tensor, reward: Tensor) -> Tensor:
    """The mean over the mini-bags of (r - Q(bag))^2, where Q(bag) is the mean of Q(s, a) over the bag's samples.

    A control node acts once per sample, so that nothing is bootstrapped: Q(s, a) learns the reward itself. The residual
    is shared: it scales the gradient of every sample of the bag alike. For a sample on which a control node did not
    run, the mean value of those that ran stands in, without gradient: else it would be paid for what others did.

    Args:
        values: [G, B] values Q(s, a) of the edges that were opened; anything where a node did not run.
        ran: [G, B] True where a node ran.
        reward: [N] reward r of each mini-bag; samples of a bag stand side by side.

    Returns:
        One loss per control node, [G].

    Example:
        >>> values, ran = torch.tensor([[0.5, 0.0]]), torch.ones(1, 2, dtype=torch.bool)
        >>> control_losses(values, ran, torch.tensor([1.0, 1.0])), control_losses(values, ran, torch.tensor([1.0]))
        (tensor([0.6250]), tensor([0.5625]))

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, arXiv 1701.00299, on mini-bags: there Q(bag) is the
        sum. The mean is that sum with all Q scaled by M: no argmax sees it, and rates need not follow the bag's size.
        What stands in for nodes that did not run is ours.
    """
    count, bags = ran.sum(dim=0), len(reward)
    known = torch.where(ran, values, 0.0)
    alone = reward.repeat_interleave(ran.shape[1] // bags)
    others = torch.where(count > 0, known.sum(dim=0) / count.clamp(min=1), alone)
    acting = torch.where(ran, values, others.detach())
    residual = reward - acting.view(len(values), bags, -1).mean(dim=2)
    acted = ran.view(len(values), bags, -1).any(dim=2)
    return (residual.square() * acted).mean(dim=1)


def regular_loss(logits: Tensor, right: Tensor, kind: Regular) -> Tensor:
    """How far the class scores of the nodes that answered are from right, mean over the batch.

    Args:
        logits: Class scores [B, K].
        right: The right classes [B] int64.
        kind: "q" takes the squared error of all K scores as action values: answering with the right class earns 1, with
            any other 0. "cross_entropy" takes the cross-entropy of the softmax.

    Returns:
        A single number.

    Reference:
        Liu and Deng, arXiv 1701.00299, on learning: the paper scores the answered class alone, by the bag's reward; the
        label tells what every class would have earned, which is less noisy and teaches in one pass what exploring
        answers would.
    """
    if kind == "q":
        return (logits.float() - one_hot(right, logits.shape[1])).square().sum(dim=1).mean()
    return cross_entropy(logits.float(), right)
