"""Heads that learn beside a frozen backbone, from its own answers, by a loss that is given from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from offramp.errors import LearnError
from offramp.graph import Graph
from offramp.nn import Values
from offramp.run import Samples

from ._fit_scores import fit_scores
from ._frozen_backbone import FrozenBackbone
from ._mixup import mixup
from ._schedule import rate_in_phases
from ._settings import TrainingSettings
from ._trainable_heads import TrainableHeads

Compare = Callable[[Values, Tensor, int], dict[str, Tensor]]
"""What each head gives by name, the teacher's logits [B, K] and the epoch -> a loss for each that learns."""


class HeadTask:
    """Copies of a graph's heads that learn what the full network answers.

    Args:
        graph: Graph with at least one head; it is not changed.
        settings: How to learn.
        compare: Function that gives the losses of a batch.
        warm_epochs: Number of passes before `settings.epochs`, with a schedule of their own.
        mixup: Chance of a sample to be mixed with another one, in [0, 1].

    Attributes:
        frozen: The backbone.

    Raises:
        LearnError: There is no head, or the backbone depends on gates or heads.
    """

    title = "heads"

    def __init__(
        self, graph: Graph, settings: TrainingSettings, compare: Compare, *, warm_epochs: int = 0, mixup: float = 0.0
    ) -> None:
        self.learner, self.frozen = TrainableHeads(graph).train(), FrozenBackbone(graph, settings.precision)
        self.device = self.frozen.device
        self.epochs = warm_epochs + settings.epochs
        self.optimizer = torch.optim.AdamW(
            self.learner.parameters(), weight_decay=settings.weight_decay, fused=self.device.type == "cpu"
        )
        for group in self.optimizer.param_groups:
            group["peak"] = settings.learning_rate
        self._graph, self._settings, self._compare = graph, settings, compare
        self._phases, self._mixup = (warm_epochs, settings.epochs), mixup

    def losses(self, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: int) -> dict[str, Tensor]:
        """The losses that `compare` gives.

        Args:
            batch: Inputs [B, ...] by name.
            labels: Not read.
            epoch: Which epoch, counted from 0.

        Returns:
            A single number per node that learns, by name.

        Raises:
            LearnError: The full network answers with logits that are not finite.
        """
        values = self.frozen(mixup(batch, self._mixup))
        teacher = values[self.frozen.teacher][0]
        if not bool(teacher.isfinite().all()):
            raise LearnError("the full network must answer with finite logits, but does not. Check the samples.")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._settings.precision == "bfloat16"):
            given: Values = self.learner(values)
        return self._compare(given, teacher, epoch)

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """Factor of the peak learning rate: half a cosine per phase.

        Args:
            epoch: Which epoch, counted from 0.
            step: Which step of it, counted from 0.
            steps: Number of steps of an epoch.

        Returns:
            A factor in (0, 1].
        """
        return rate_in_phases(epoch, step, steps=steps, phases=self._phases)

    def finish(self, samples: Samples) -> Graph:
        """The graph with the heads as they are now, and scores fitted to them.

        Args:
            samples: Samples that the scores are fitted to.

        Returns:
            A graph of the same structure.
        """
        heads = self.learner.eval()
        scores = fit_scores(self._graph, heads, frozen=self.frozen, samples=samples, settings=self._settings)
        return self._graph.with_bodies({**heads.bodies, **scores})
