"""Training of exits and their confidences after the backbone: compute has a price, and no labels are needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from offramp import data
from offramp.errors import LearnError
from offramp.graph import Graph

from ._charge import Charge, charge_exits
from ._checkpoint import check_resume
from ._cumulative_losses import CumulativeLoss, ExitOutputs, cumulative_losses
from ._frozen_backbone import Values
from ._head_task import HeadTask
from ._losses import Targets
from ._settings import TrainingSettings
from ._training import Progress, Training


@dataclass(frozen=True, slots=True, kw_only=True)
class CumulativeSettings(TrainingSettings):
    """What decides the result of `learn.cumulative`; `temperature` plays no part.

    The optimizer is AdamW, the schedule half a cosine, anew for each of the two phases.

    Attributes:
        price: The papers' lambda: what the compute of one backbone may cost, in nats of cross-entropy, 0 or more. 0
            asks for agreement alone; with too high a price all samples leave at the first exit, whatever it knows.
        loss: "v2" sums over the exits, "v1" takes the mixture of all exits alone, "v3" weighs exits by their
            confidence, "v4" teaches each exit which samples are its own, "v0" teaches no confidence: see
            `cumulative_losses`. Those of "v3" are shares: its authors stop above 1 / N with N exits, not above 0.5.
        warm_epochs: Number of passes with "v0" before `epochs`, 0 or more. With 0, as published, heads that know
            nothing yet can teach their confidences to stop no sample, and then they learn nothing more.
        targets: "hard" is the class that the backbone answers, as published; "soft" its probabilities.
        charge: "all" counts everything that a sample ran, "own" of the heads only the one that answers, as published.

    Example:
        >>> CumulativeSettings(price=0.5, warm_epochs=2).loss
        'v2'

    Reference:
        Lahiany and Aperstein, "PTEEnet", IEEE Access 10, 2022 (v2, hard targets, own heads alone charged); Demir and
        Akbas, arXiv 2409.05336, 2024, for the other losses, and for two stages.
    """

    price: float = 1.0
    loss: CumulativeLoss = "v2"
    warm_epochs: int = 4
    targets: Targets = "hard"
    charge: Charge = "all"

    def _checks(self) -> dict[str, bool]:
        return TrainingSettings._checks(self) | {
            "price": 0 <= self.price < float("inf"),
            "loss": self.loss in get_args(CumulativeLoss),
            "warm_epochs": self.warm_epochs >= 0,
            "targets": self.targets in get_args(Targets),
            "charge": self.charge in get_args(Charge),
        }


def cumulative(
    graph: Graph,
    samples: data.Given,
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
        graph: An early-exit graph whose heads have the option `confidence`, such as "conv2:confidence=1"; it is not
            changed.
        samples: Samples to learn from, at least one batch; their labels are not read.
        settings: How to learn; None for the defaults.
        checkpoint: Path of a file in which the training keeps where it stands; None keeps nothing.
        resume: True goes on from `checkpoint` if it exists.
        progress: True draws a bar on stderr, False does not, None does so on a terminal. A function is called after
            each step with the number of steps done, the number of all steps, and a text with epoch and loss.

    Returns:
        A graph of the same structure with other heads and scores.

    Raises:
        LearnError: An exit gives no confidence, or there are too few samples; the checkpoint is of another training; a
            loss is not finite.
        OptionError: `resume` was given without `checkpoint`.
        OutputError: The checkpoint cannot be written.

    Reference:
        Lahiany and Aperstein, "PTEEnet: Post-Trained Early-Exit Neural Networks Augmentation for Inference Cost
        Optimization", IEEE Access 10, 2022, equations (1) to (4) and algorithm 1. There costs leave out the heads
        before the one that answers; `charge="own"` does so too. Backbones stay in eval mode here; in its public code
        their normalization layers drift.
    """
    settings, samples = settings or CumulativeSettings(), data.as_samples(samples)
    check_resume(checkpoint, resume)
    _check_confident(graph)
    task = HeadTask(graph, settings, _Comparison(graph, settings), warm_epochs=settings.warm_epochs)
    training = Training(graph, samples, settings, task=task, digest=task.frozen.digest())
    training.run(checkpoint=checkpoint, resume=resume, progress=progress)
    return task.finish(samples)


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
        outputs = ExitOutputs(
            log=torch.stack([*(logits.float() for logits, _ in early), teacher]).log_softmax(dim=-1),
            odds=torch.stack([odds.float() for _, odds in early]),
            targets=self._targets(teacher),
            costs=self._costs.to(teacher.device),
            price=self._settings.price,
        )
        warm = epoch < self._settings.warm_epochs
        terms = cumulative_losses(outputs, "v0" if warm else self._settings.loss)
        return dict(zip(self._exits, terms, strict=False))  # v1 has one term, v3 one for the final exit too

    def _targets(self, teacher: Tensor) -> Tensor:
        if self._settings.targets == "soft":
            return teacher.softmax(dim=1)
        return one_hot(teacher.argmax(dim=1), teacher.shape[1]).to(teacher.dtype)
