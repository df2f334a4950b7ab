"""Training of exits and their confidences after the backbone: compute has a price, and no labels are needed."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from offramp.errors import LearnError
from offramp.graph import Graph
from offramp.run import Samples

from ._charge import charge_exits
from ._checkpoint import check_resume
from ._cumulative_losses import ExitOutputs, cumulative_losses
from ._frozen_backbone import Values
from ._head_task import HeadTask
from ._settings import CumulativeSettings
from ._training import Progress, Training


def cumulative(
    graph: Graph,
    samples: Samples,
    settings: CumulativeSettings | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress = None,
) -> Graph:
    """The graph with heads and confidences trained together, and fitted scores; its backbone stays frozen.

    Each confidence is the probability of stopping at its exit; what becomes smaller is the expected cross-entropy
    against the backbone's answers plus `settings.price` times the expected compute. So the score `head_confidence`
    means the same at every exit, and one threshold for all gates is the knob, 0.5 where nothing speaks for another.
    Training starts from the weights that the graph has: train again with a higher price to go on from there. On a CPU
    the result depends on graph, samples and settings alone, however often the training was killed.

    Args:
        graph: Its early exits are heads with the option `confidence`, such as "conv2:confidence=1"; it is not changed.
        samples: Labels are not read.
        settings: None for the defaults.
        checkpoint: File in which the training keeps where it stands; None keeps nothing.
        resume: True goes on from `checkpoint` if it exists.
        progress: True draws a bar on stderr, False does not, None does so on a terminal; a function is told after each
            step how many are done, of how many, and where the training is.

    Raises:
        LearnError: An exit without a confidence, too few samples, a checkpoint of another training, or a loss that is
            not finite.
        OptionError: `resume` without `checkpoint`.
        OutputError: The checkpoint cannot be written.

    Reference:
        Lahiany and Aperstein, "PTEEnet: Post-Trained Early-Exit Neural Networks Augmentation for Inference Cost
        Optimization", IEEE Access 10, 2022, equations (1) to (4) and algorithm 1. There costs leave out the heads
        before the one that answers; `charge="own"` does so too. Backbones stay in eval mode here; in its public code
        their normalization layers drift.
    """
    settings = settings or CumulativeSettings()
    check_resume(checkpoint, resume)
    _check_confident(graph)
    lesson = HeadTask(graph, settings, _Comparison(graph, settings), warm_epochs=settings.warm_epochs)
    training = Training(graph, samples, settings, lesson=lesson, digest=lesson.frozen.digest())
    training.run(checkpoint=checkpoint, resume=resume, progress=progress)
    return lesson.finish(samples)


def _check_confident(graph: Graph) -> None:
    early = [graph[name] for name in graph.exits[:-1]]
    silent = [node.name for node in early if node.role != "head" or len(node.outputs) < 2]
    if silent or not early:
        raise LearnError(
            f"exits must be heads that give a confidence, but {', '.join(silent) or 'there are no early exits'}"
            f"{' give none' if silent else ''}. Attach them with head='conv2:confidence=1', without ensemble."
        )


class _Comparison:
    """Heads and confidences against the full network's answers, at a price."""

    def __init__(self, graph: Graph, settings: CumulativeSettings) -> None:
        self._settings, self._exits = settings, graph.exits
        self._costs = charge_exits(graph, settings.charge)

    def __call__(self, given: Values, teacher: Tensor, epoch: int) -> dict[str, Tensor]:
        early = [given[name] for name in self._exits[:-1]]
        said = ExitOutputs(
            log=torch.stack([*(logits.float() for logits, _ in early), teacher]).log_softmax(dim=-1),
            odds=torch.stack([odds.float() for _, odds in early]),
            targets=self._targets(teacher),
            costs=self._costs.to(teacher.device),
            price=self._settings.price,
        )
        warm = epoch < self._settings.warm_epochs
        terms = cumulative_losses(said, "v0" if warm else self._settings.loss)
        return dict(zip(self._exits, terms, strict=False))  # v1 has one term, v3 one for the final exit too

    def _targets(self, teacher: Tensor) -> Tensor:
        if self._settings.targets == "soft":
            return teacher.softmax(dim=1)
        return one_hot(teacher.argmax(dim=1), teacher.shape[1]).to(teacher.dtype)
