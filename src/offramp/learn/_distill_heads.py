"""Training of exits after the backbone, from the backbone's own answers: no labels needed."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from offramp.graph import Graph
from offramp.run import Samples

from ._checkpoint import check_resume
from ._frozen_backbone import Values
from ._head_task import HeadTask
from ._losses import teaching_loss
from ._settings import DistillSettings
from ._survivors import stay_on, weigh_survivors
from ._training import Progress, Training


def distill_heads(
    graph: Graph,
    samples: Samples,
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
        graph: With nodes of role "head"; it is not changed.
        samples: Labels are not read.
        settings: None for the defaults.
        checkpoint: File in which the training keeps where it stands; None keeps nothing.
        resume: True goes on from `checkpoint` if it exists.
        progress: True draws a bar on stderr, False does not, None does so on a terminal; a function is told after each
            step how many are done, of how many, and where the training is.

    Raises:
        LearnError: No head, too few samples, a checkpoint of another training, or a loss that is not finite.
        OptionError: `resume` without `checkpoint`.
        OutputError: The checkpoint cannot be written.

    Reference:
        Lahiany and Aperstein, "PTEEnet: Post-Trained Early-Exit Neural Networks Augmentation for Inference Cost
        Optimization", IEEE Access 10, 2022, equation (4), for the frozen backbone as its own teacher. We take soft
        answers (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2) instead of its
        argmax, and no cost term: which exit answers is decided later, from evidence.
    """
    settings = settings or DistillSettings()
    check_resume(checkpoint, resume)
    lesson = HeadTask(graph, settings, partial(_compare, settings), mixed=settings.mix)
    training = Training(graph, samples, settings, lesson=lesson, digest=lesson.frozen.digest())
    training.run(checkpoint=checkpoint, resume=resume, progress=progress)
    return lesson.finish(samples)


def _compare(settings: DistillSettings, given: Values, teacher: Tensor, epoch: int) -> dict[str, Tensor]:
    """The loss of each node; where samples count by how surely they come there, of those that do."""
    losses = {}
    amount = settings.survivors if epoch >= settings.epochs // 4 else 0.0
    stays = torch.ones_like(teacher[:, 0])
    for _, names in groupby(given, key=lambda name: name.partition("/")[0]):  # an exit: its head, its ensemble
        share = weigh_survivors(stays, amount)
        for name in names:
            logits = given[name][0]
            losses[name] = (share * teaching_loss(logits, teacher, settings.targets, settings.temperature)).mean()
        stays = stay_on(stays, logits, teacher)
    return losses
