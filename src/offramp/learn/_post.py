"""Training of exits after the backbone, from the backbone's own answers: no labels needed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from offramp.errors import LearnError
from offramp.graph import Graph
from offramp.run import Samples

from ._checkpoint import check_resume
from ._fit_scores import fit_scores
from ._frozen import Frozen
from ._heads import Heads
from ._losses import teaching_loss
from ._mix import mix
from ._schedule import learning_rate
from ._settings import PostSettings
from ._survivors import stay_on, weigh_survivors
from ._training import Training


def post(
    graph: Graph,
    samples: Samples,
    settings: PostSettings | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: bool | None = None,
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
        progress: True draws a bar on stderr, False does not, None does so on a terminal.

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
    settings = settings or PostSettings()
    check_resume(checkpoint, resume)
    heads, frozen = Heads(graph).train(), Frozen(graph, settings.precision)
    lesson = _Lesson(heads, frozen, settings)
    training = Training(graph, samples, settings, lesson=lesson, digest=frozen.digest())
    training.run(checkpoint=checkpoint, resume=resume, progress=progress)
    heads.eval()
    scores = fit_scores(graph, heads, frozen=frozen, samples=samples, settings=settings)
    return graph.with_bodies({**heads.bodies, **scores})


class _Lesson:
    """Heads, and ensembles of them, that learn the full network's answers."""

    title = "heads"

    def __init__(self, heads: Heads, frozen: Frozen, settings: PostSettings) -> None:
        self.learner, self.device, self.epochs = heads, frozen.device, settings.epochs
        self.optimizer = torch.optim.AdamW(heads.parameters(), weight_decay=settings.weight_decay)
        for group in self.optimizer.param_groups:
            group["peak"] = settings.learning_rate
        self._heads, self._frozen, self._settings = heads, frozen, settings

    def losses(self, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: int) -> dict[str, Tensor]:
        values = self._frozen(mix(batch, self._settings.mix))
        teacher = values[self._frozen.teacher][0]
        if not bool(teacher.isfinite().all()):
            raise LearnError("the full network must answer with finite logits, but does not. Check the samples.")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._settings.precision == "bfloat16"):
            given = self._heads(values)
        return self._compare({name: each[0] for name, each in given.items()}, teacher, epoch)

    def _compare(self, given: Mapping[str, Tensor], teacher: Tensor, epoch: int) -> dict[str, Tensor]:
        """The loss of each node; where samples count by how surely they come there, of those that do."""
        settings, losses = self._settings, {}
        amount = settings.survivors if epoch >= settings.epochs // 4 else 0.0
        stays = torch.ones_like(teacher[:, 0])
        for _, names in groupby(given, key=lambda name: name.partition("/")[0]):  # an exit: its head, its ensemble
            share = weigh_survivors(stays, amount)
            for name in names:
                loss = teaching_loss(given[name], teacher, settings.targets, settings.temperature)
                losses[name] = (share * loss).mean()
            stays = stay_on(stays, given[name], teacher)
        return losses

    def rate(self, epoch: int, step: int, steps: int) -> float:
        return learning_rate(epoch * steps + step, self.epochs * steps)
