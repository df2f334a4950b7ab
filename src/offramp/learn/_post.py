"""Training of exits after the backbone, from the backbone's own answers: no labels needed."""

from __future__ import annotations

from pathlib import Path

import torch

from offramp.errors import LearnError, OptionError
from offramp.graph import Graph
from offramp.run import Samples

from ._checkpoint import Position
from ._fit_scores import fit_scores
from ._frozen import Frozen
from ._heads import Heads
from ._settings import PostSettings
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
    T^2 KL(softmax(full / T) || softmax(head / T)), summed over the heads. Then the scores that learn are fitted.
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
    if resume and checkpoint is None:
        raise OptionError("resume needs the file to go on from, but checkpoint is None. Give its path.")
    _check(samples, settings)
    heads, frozen = Heads(graph).train(), Frozen(graph, settings.precision)
    training = Training(graph, samples, settings, heads=heads, frozen=frozen)
    position = training.resume(checkpoint) if resume and checkpoint else Position()
    with torch.random.fork_rng(devices=[frozen.device] if frozen.device.type == "cuda" else []):
        training.run(position, checkpoint=checkpoint, progress=progress)
    heads.eval()
    scores = fit_scores(graph, heads, frozen=frozen, samples=samples, settings=settings)
    return graph.with_bodies({**heads.bodies, **scores})


def _check(samples: Samples, settings: PostSettings) -> None:
    if len(samples) < settings.batch:
        raise LearnError(
            f"training needs at least one batch of {settings.batch} samples, but got {len(samples)}. "
            "Give more samples, or a smaller batch."
        )
