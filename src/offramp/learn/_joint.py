"""Training of all exits together from labels: the backbone's weights move too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from offramp import data
from offramp.errors import DataError
from offramp.graph import Graph
from offramp.run import Samples

from ._checkpoint import check_resume
from ._digest import digest_weights
from ._distributed import Distributed, run_distributed
from ._fit_scores import fit_scores
from ._frozen_backbone import FrozenBackbone, lay_out
from ._joint_settings import JointSettings
from ._losses import exit_losses
from ._schedule import rate_in_phases
from ._trainable_graph import TrainableGraph
from ._trainable_heads import TrainableHeads
from ._training import Progress, Training


def joint(
    graph: Graph,
    samples: data.Given,
    settings: JointSettings | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress = None,
) -> Graph:
    """The graph with all its exits trained together on labels, and its scores fitted.

    What becomes smaller is the weighted sum of the exits' losses; see `JointSettings` for regimes, weights,
    distillation and the rest. Training starts from the weights that the graph has. On a CPU and one device the result
    depends on graph, samples and settings alone, however often the training was killed.

    Args:
        graph: An early-exit graph, or one without exits, whose network is then trained as usual; it is not changed.
        samples: Samples with labels, at least one batch.
        settings: How to learn; None for the defaults.
        checkpoint: Path of a file in which the training keeps where it stands; None keeps nothing.
        resume: True goes on from `checkpoint` if it exists.
        progress: True draws a bar on stderr, False does not, None does so on a terminal. A function is called after
            each step with the number of steps done, the number of all steps, and a text with epoch and loss.

    Returns:
        A graph of the same structure with other weights.

    Raises:
        DataError: The samples have no labels, or labels that the network has no class for.
        LearnError: Stages cannot learn, or there are too few samples; the checkpoint is of another training; a loss is
            not finite.
        OptionError: There is not one weight per exit, or `resume` was given without `checkpoint`.
        OutputError: The checkpoint cannot be written.

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks",
        ICPR 2016, section III B.
    """
    settings, samples = settings or JointSettings(), data.as_samples(samples)
    check_resume(checkpoint, resume)
    _check_labels(graph, samples)
    settings.weights_for(len(graph.exits))
    arguments = (graph, samples, settings, checkpoint, resume, progress)
    weights = run_distributed(
        _train,
        *arguments,
        devices=settings.devices,
        accelerator=settings.accelerator,
        batch=settings.batch,
        partly=settings.backbone_epochs > 0 or any(len(graph[name].outputs) > 1 for name in graph.exits),
    )
    trainable = TrainableGraph(graph, settings.precision, frozen=settings.regime == "frozen").eval()
    lay_out(trainable, torch.contiguous_format)
    trainable.load_state_dict(load(weights))
    trained = graph.with_bodies(dict(trainable.bodies.items()))
    if len(graph.exits) == 1:
        return trained
    frozen = FrozenBackbone(trained, settings.precision)
    scores = fit_scores(trained, TrainableHeads(trained).eval(), frozen=frozen, samples=samples, settings=settings)
    return trained.with_bodies(scores)


def _check_labels(graph: Graph, samples: Samples) -> None:
    if samples.labels is None:
        raise DataError(
            "joint training learns from labels, but the samples have none. Add them, or use learn.distill_heads."
        )
    classes = graph[graph.exits[-1]].outputs[0].shape[-1]
    if len(samples) and not 0 <= samples.labels.min() <= samples.labels.max() < classes:
        raise DataError(
            f"labels must be 0 to {classes - 1}, the classes of the network, but are {samples.labels.min()} to "
            f"{samples.labels.max()}. Renumber them."
        )


def _train(  # noqa: PLR0913  # all of one training
    distributed: Distributed,
    graph: Graph,
    samples: Samples,
    settings: JointSettings,
    checkpoint: Path | None,
    resume: bool,
    progress: Progress,
) -> bytes:
    """The learned weights, as safetensors: tensors would vanish with the process that made them."""
    task = _Task(graph, settings, distributed)
    digest = digest_weights(dict(task.learner.bodies.items()))  # without scores: fitted ones differ with the threads
    training = Training(graph, samples, settings, task=task, digest=digest, distributed=distributed)
    training.run(checkpoint=checkpoint, resume=resume, progress=progress)
    plain = task.learner.cpu().state_dict()
    return save({name: value.clone(memory_format=torch.contiguous_format) for name, value in plain.items()})


class _Task:
    """All exits, and the loss of each."""

    learner: TrainableGraph

    def __init__(self, graph: Graph, settings: JointSettings, distributed: Distributed) -> None:
        self.title = settings.regime
        self._weights = settings.weights_for(len(graph.exits))
        self._settings = settings
        self.learner = TrainableGraph(graph, settings.precision, frozen=settings.regime == "frozen")
        self.learner.train()
        self.epochs = settings.backbone_epochs + settings.epochs
        self.optimizer = _optimizer(self.learner, settings)
        self._joined = distributed.join(self.learner, self.optimizer)
        self.device = self.learner.device

    def losses(self, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: int) -> dict[str, Tensor]:
        assert labels is not None
        alone = epoch < self._settings.backbone_epochs
        logits = self._joined(batch, final_only=alone)
        return exit_losses(
            logits,
            labels,
            weights=[1.0] if alone else self._weights,
            distill=self._settings.distill,
            temperature=self._settings.temperature,
            emphasis=self._settings.emphasis,
        )

    def rate(self, epoch: int, step: int, steps: int) -> float:
        phases = (self._settings.backbone_epochs, self._settings.epochs)
        return rate_in_phases(epoch, step, steps=steps, phases=phases, schedule=self._settings.schedule)


def _optimizer(learner: TrainableGraph, settings: JointSettings) -> torch.optim.Optimizer:
    backbone, heads = learner.split_parameters()
    groups = [
        {"params": backbone, "peak": settings.learning_rate * settings.backbone_rate},
        {"params": heads, "peak": settings.learning_rate},
    ]
    used = [group for group in groups if group["params"]]
    if settings.optimizer == "adam":
        return torch.optim.AdamW(used, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        used,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        weight_decay=settings.weight_decay,
    )
