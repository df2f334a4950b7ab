"""What an exit's answers are compared with: the labels, or another exit's answers.

Shape letters: B batch, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

Targets = Literal["soft", "hard"]


def distillation_loss(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The distance T^2 KL(softmax(teacher / T) || softmax(logits / T)) of each sample.

    Args:
        logits: [B, K] of the student.
        teacher: [B, K] logits of the teacher.
        temperature: T, above 0.

    Returns:
        One number per sample, [B], in nats.

    Reference:
        Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2; the factor T^2
        keeps the gradients' size when T changes.
    """
    student = (logits.float() / temperature).log_softmax(dim=1)
    target = (teacher.float() / temperature).log_softmax(dim=1)
    return temperature**2 * kl_div(student, target, reduction="none", log_target=True).sum(dim=1)


def teaching_loss(logits: Tensor, teacher: Tensor, targets: Targets, temperature: float) -> Tensor:
    """How far each answer is from the teacher's: from its softened probabilities, or from its argmax alone.

    Args:
        logits: [B, K] of the student.
        teacher: [B, K] logits of the teacher.
        targets: "soft" for probabilities, "hard" for the argmax.
        temperature: T of the softened probabilities, above 0.

    Returns:
        One number per sample, [B], in nats.
    """
    if targets == "soft":
        return distillation_loss(logits, teacher, temperature)
    return cross_entropy(logits.float(), teacher.argmax(dim=1), reduction="none")


def exit_losses(
    logits: Mapping[str, Tensor],
    labels: Tensor,
    *,
    weights: Sequence[float],
    distill: float = 0.0,
    temperature: float = 1.0,
    emphasis: float = 0.0,
) -> dict[str, Tensor]:
    """The weighted loss of each exit, mean over the batch.

    Exit n of N has w_n ((1 - a) CE(labels) + a T^2 KL(final exit || exit n)), the final one w_N CE(labels). Nothing
    flows back through the final exit's answers where they teach.

    Args:
        logits: Logits [B, K] of each exit, in order; the last is the final exit's.
        labels: Classes [B] int64.
        weights: Weight w of each exit's loss.
        distill: The a above, in [0, 1]: how much the final exit teaches the early ones.
        temperature: T of the distillation, above 0.
        emphasis: How much more easy samples count at early exits and hard ones at late exits, in [0, 1): see
            `weigh_by_ease`.

    Returns:
        A single number per exit, by name.

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet", ICPR 2016, section III B, for the weighted sum.
    """
    final = logits[list(logits)[-1]].detach()
    share = weigh_by_ease(final, labels, len(logits), emphasis)
    losses = {}
    for at, (name, given) in enumerate(logits.items()):
        loss = cross_entropy(given.float(), labels, reduction="none")
        if distill and at < len(logits) - 1:
            loss = (1 - distill) * loss + distill * distillation_loss(given, final, temperature)
        losses[name] = weights[at] * (share[at] * loss).mean()
    return losses


def weigh_by_ease(final: Tensor, labels: Tensor, exits: int, emphasis: float) -> Tensor:
    """How much each sample counts at each exit; the mean over the batch is 1 at every exit.

    A sample is as easy as the final exit finds its label probable: ease e in [0, 1]. At exit n, a share t = n / (N - 1)
    of the way, it counts 1 + emphasis (1 - 2t)(2e - 1), divided by the batch's mean of that.

    Args:
        final: Logits [B, K] of the final exit.
        labels: Classes [B] int64.
        exits: N, the number of exits.
        emphasis: Strength in [0, 1); 0 counts all samples alike.

    Returns:
        Weights [N, B].

    Example:
        >>> sure_and_wrong = torch.tensor([[9.0, -9.0], [9.0, -9.0]])
        >>> weigh_by_ease(sure_and_wrong, torch.tensor([0, 1]), 2, 0.5)
        tensor([[1.5000, 0.5000],
                [0.5000, 1.5000]])
    """
    ease = final.float().softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    way = torch.linspace(0, 1, exits, device=final.device)[:, None] if exits > 1 else ease.new_ones(1, 1)
    count = 1 + emphasis * (1 - 2 * way) * (2 * ease - 1)
    return count / count.mean(dim=1, keepdim=True)
