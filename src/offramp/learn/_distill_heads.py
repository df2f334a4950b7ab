"""Training of exits after the backbone, from the backbone's own answers: no labels needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from offramp import data
from offramp.graph import Graph

from ._checkpoint import check_resume
from ._frozen_backbone import Values
from ._head_task import HeadTask
from ._losses import Targets, teaching_loss
from ._sample_weighting import stay_on, weigh_by_arrival
from ._settings import TrainingSettings
from ._training import Progress, Training


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillSettings(TrainingSettings):
    """What decides the result of `learn.distill_heads`; the defaults suit pictures and tokens alike.

    The optimizer is AdamW, the schedule half a cosine.

    Attributes:
        targets: What heads learn to give: "soft", the full network's softened probabilities, or "hard", its answers
            (then the temperature does not matter).
        sample_weighting: How much less a sample counts at an exit if earlier exits would let it go, in [0, 1]: 0 counts
            all samples alike, 1 only those that come there. It begins after a quarter of the epochs, rounded down.
        mixup: Chance of a sample to be mixed with another of its batch, in [0, 1]; for floating-point inputs alone. It
            helps where the samples are those that the network was trained on, if there are epochs enough: in many it
            keeps a student from learning them by heart, in few it only makes the task harder.

    Example:
        >>> DistillSettings(epochs=2).temperature
        2.0
    """

    targets: Targets = "soft"
    sample_weighting: float = 0.0
    mixup: float = 0.0

    def _checks(self) -> dict[str, bool]:
        return TrainingSettings._checks(self) | {
            "targets": self.targets in get_args(Targets),
            "sample_weighting": 0 <= self.sample_weighting <= 1,
            "mixup": 0 <= self.mixup <= 1,
        }


def distill_heads(
    graph: Graph,
    samples: data.Given,
    settings: DistillSettings | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress = None,
) -> Graph:
    """The graph with trained heads and fitted scores; its backbone stays frozen, in eval mode.

    All heads learn at once to give the full network's softened probabilities: the mean over the batch of
    T^2 KL(softmax(full / T) || softmax(head / T)), summed over the heads; an ensemble's weights learn the same in the
    same steps. Then the scores that learn are fitted.
    On a CPU the result depends on graph, samples and settings alone, however often the training was killed.

    Args:
        graph: An early-exit graph with at least one head, as `attach.exits` makes it; it is not changed.
        samples: Samples to learn from, at least one batch; their labels are not read.
        settings: How to learn; None for the defaults.
        checkpoint: Path of a file in which the training keeps where it stands; None keeps nothing.
        resume: True goes on from `checkpoint` if it exists.
        progress: True draws a bar on stderr, False does not, None does so on a terminal. A function is called after
            each step with the number of steps done, the number of all steps, and a text with epoch and loss.

    Returns:
        A graph of the same structure with other heads and scores.

    Raises:
        LearnError: There is no head, or too few samples; the checkpoint is of another training; a loss is not finite.
        OptionError: `resume` was given without `checkpoint`.
        OutputError: The checkpoint cannot be written.

    Example:
        >>> import numpy as np
        >>> from torch import nn
        >>> from offramp import attach
        >>> from offramp.run import ArraySamples
        >>> network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> graph = attach.exits(network, torch.zeros(2, 8), count=1, placement="1")
        >>> inputs = np.random.default_rng(0).random((64, 8), dtype=np.float32)
        >>> samples = ArraySamples(inputs={"x": inputs}, ids=np.arange(64).astype(str))
        >>> distill_heads(graph, samples, DistillSettings(epochs=1, batch=32), progress=False).exits
        ('exit0/head', 'stage1')

    Reference:
        Lahiany and Aperstein, "PTEEnet: Post-Trained Early-Exit Neural Networks Augmentation for Inference Cost
        Optimization", IEEE Access 10, 2022, equation (4), for the frozen backbone as its own teacher. We take soft
        answers (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2) instead of its
        argmax, and no cost term: which exit answers is decided later, from evidence.
    """
    settings, samples = settings or DistillSettings(), data.as_samples(samples)
    check_resume(checkpoint, resume)
    task = HeadTask(graph, settings, partial(_compare, settings), mixup=settings.mixup)
    training = Training(graph, samples, settings, task=task, digest=task.frozen.digest())
    training.run(checkpoint=checkpoint, resume=resume, progress=progress)
    return task.finish(samples)


def _compare(settings: DistillSettings, given: Values, teacher: Tensor, epoch: int) -> dict[str, Tensor]:
    """The loss of each node; where samples count by how surely they come there, of those that do."""
    losses = {}
    amount = settings.sample_weighting if epoch >= settings.epochs // 4 else 0.0
    stays = torch.ones_like(teacher[:, 0])
    for _, names in groupby(given, key=lambda name: name.partition("/")[0]):  # an exit: its head, its ensemble
        share = weigh_by_arrival(stays, amount)
        for name in names:
            logits = given[name][0]
            losses[name] = (share * teaching_loss(logits, teacher, settings.targets, settings.temperature)).mean()
        stays = stay_on(stays, logits, teacher)
    return losses
