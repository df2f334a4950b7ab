"""Fitting of the scores that learn, once their heads have learned."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from offramp.graph import Body, Graph, Node
from offramp.nn.scores import FittedScore, Targets
from offramp.run import Samples

from ._batch import shuffle, take_batch
from ._frozen_backbone import FrozenBackbone, gather
from ._settings import TrainingSettings
from ._trainable_heads import TrainableHeads

_EPOCH = 2**32 - 1  # the order of the pass over the samples: that of an epoch which no training reaches


@torch.no_grad()
def fit_scores(
    graph: Graph, heads: TrainableHeads, *, frozen: FrozenBackbone, samples: Samples, settings: TrainingSettings
) -> dict[str, Body]:
    """Copies of the scores that learn, fitted to what their head and the full network answer.

    Args:
        graph: Graph whose nodes of role "score" are fitted if their body is a `FittedScore`.
        heads: The trained heads, in eval mode.
        frozen: The backbone.
        samples: Samples of which a random part of at most `settings.score_samples` is used, without augmentation.
        settings: Settings that hold the batch, the seed and that limit.

    Returns:
        The fitted scores, by the name of the node.
    """
    bodies = {node.name: graph.bodies[node.name] for node in graph.nodes if node.role == "score"}
    learners: dict[str, Any] = {name: body for name, body in bodies.items() if isinstance(body, FittedScore)}
    scores: dict[str, FittedScore] = copy.deepcopy(learners)  # two types in one: callable, and with `fit`
    if not scores:
        return {}
    rows: dict[str, list[Tensor]] = defaultdict(list)
    answers: dict[str, list[Tensor]] = defaultdict(list)
    classes: list[Tensor] = []
    order = shuffle(len(samples), seed=settings.seed, epoch=_EPOCH)[: settings.score_samples]
    for start in range(0, len(order), settings.batch):
        values = frozen(take_batch(samples, order[start : start + settings.batch], frozen.device, graph))
        values |= heads(values)
        classes.append(values[frozen.teacher][0].argmax(dim=1))
        for name, score in scores.items():
            rows[name].append(score.collect(*gather(values, graph[name])))
            answers[name].append(_answers(values, graph[name]))
    for name, score in scores.items():
        score.fit(torch.cat(rows[name]), Targets(classes=torch.cat(classes), answers=torch.cat(answers[name])))
    return scores  # type: ignore[return-value]  # bodies, so callable


def _answers(values: Mapping[str, tuple[Tensor, ...]], score: Node) -> Tensor:
    """The class that this score's head, its second input, gives to each row."""
    return values[score.inputs[1].source][score.inputs[1].output].argmax(dim=1)
