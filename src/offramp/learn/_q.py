"""Training of control nodes by Q-learning: which parts of a network run for a sample is learned from a reward.

Shape letters: B batch, G control nodes, K classes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from offramp.errors import DataError, LearnError
from offramp.graph import Graph, Node
from offramp.measure import route_macs, running_nodes
from offramp.measure.torch import count_macs
from offramp.nn import Executor, Outcome
from offramp.run import Samples

from ._checkpoint import check_resume
from ._digest import digest_weights
from ._frozen import find_device
from ._guarded import Guarded
from ._q_losses import control_losses, regular_loss
from ._reward import judge_bags
from ._schedule import learning_rate
from ._settings import QSettings
from ._teacher import Teacher, passing_thresholds
from ._training import Training
from ._whole import check_learnable


def q(
    graph: Graph,
    samples: Samples,
    settings: QSettings | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: bool | None = None,
) -> Graph:
    """The graph with control nodes that open the edge of the highest expected reward, and regular nodes to match.

    Each sample, or each mini-bag of them, earns one reward r = lambda A + (1 - lambda) E for all control nodes. A says
    how good the answers are. E is 1 - MACs of what ran / MACs of all nodes that can run, its mean over the bag; it and
    any other straight line through the costs differ only in what lambda means. Samples really take their edges, at
    random with a chance that falls from 1, so a step costs what the network costs; only nodes that ran learn from a
    sample. Training starts from the weights that the graph has. On a CPU the result depends on graph, samples and
    settings alone, however often the training was killed.

    Threshold gates, if there are any beside control nodes that learn, let nobody stop meanwhile.

    Args:
        graph: With control nodes that have bodies; it is not changed.
        samples: With labels, unless a teacher judges.
        settings: None for the defaults.
        checkpoint: File in which the training keeps where it stands; None keeps nothing.
        resume: True goes on from `checkpoint` if it exists.
        progress: True draws a bar on stderr, False does not, None does so on a terminal.

    Raises:
        DataError: No labels, or labels that the network has no class for.
        LearnError: No control node learns, bodies that cannot, too few samples, a checkpoint of another training, or a
            loss that is not finite.
        OptionError: `resume` without `checkpoint`.
        OutputError: The checkpoint cannot be written.

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks: Optimizing Accuracy-Efficiency Trade-offs by Selective Execution",
        AAAI 2018, arXiv 1701.00299, on learning: reward, epsilon-greedy, mini-bags, losses. E is only said to fall with
        the number of multiplications; the formula is ours.
    """
    settings = settings or QSettings()
    check_resume(checkpoint, resume)
    _check(graph, samples, settings)
    lesson = _Lesson(graph, settings)
    training = Training(graph, samples, settings, lesson=lesson, digest=digest_weights(graph.bodies))
    training.run(checkpoint=checkpoint, resume=resume, progress=progress)
    lesson.learner.eval()
    return graph.with_bodies({name: body.body for name, body in lesson.learner.bodies.items()})  # type: ignore[misc]  # Guarded


def find_learning(graph: Graph) -> tuple[Node, ...]:
    """The control nodes that learn: those that compare no score with a threshold."""
    return tuple(node for node in graph.controls if node.gate is None)


def _check(graph: Graph, samples: Samples, settings: QSettings) -> None:
    if not find_learning(graph):
        raise LearnError(
            f"Q-learning needs control nodes with bodies, but none of the graph's {len(graph.controls)} has one. "
            "Use build.d2nn, or choose thresholds with decide.thresholds."
        )
    classes = graph[graph.answer].outputs[0].shape[0]
    if settings.judge == "labels" and samples.labels is None:
        raise DataError('Q-learning judges answers by labels, but the samples have none. Add them, or judge="teacher".')
    if settings.judge == "labels" and len(samples) and not 0 <= samples.labels.min() <= samples.labels.max() < classes:  # type: ignore[union-attr]  # checked above
        raise DataError(f"labels must be 0 to {classes - 1}, the classes of the network. Renumber them.")
    if settings.positive is not None and settings.positive >= classes:
        raise DataError(f"the positive class must be 0 to {classes - 1}, but is {settings.positive}. Choose one.")
    nodes = [node for node in graph.nodes if node.name in graph.bodies]
    frozen = settings.regular == "frozen"
    check_learnable(graph, [node for node in nodes if node.kind == "control" or not frozen], nodes)


class _Lesson:
    """A graph that runs as its control nodes and chance wish, and what each of its nodes is told."""

    title = "q"

    def __init__(self, graph: Graph, settings: QSettings) -> None:
        self._graph, self._settings = graph, settings
        self._learning = find_learning(graph)
        self._macs = count_macs(graph)
        self.learner = _copy(graph, settings)
        self.epochs = settings.warm_epochs + settings.epochs
        self.optimizer = _optimizer(self.learner, settings)
        self.device = find_device(graph.bodies.values())
        self._limits = passing_thresholds(graph).to(self.device)
        self._all = sum(self._macs[name] for name in running_nodes(graph))
        self._teacher = Teacher(graph) if settings.judge == "teacher" else None

    def losses(self, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: int) -> dict[str, Tensor]:
        forced = self._explore(len(next(iter(batch.values()))), self._settings.epsilon(epoch))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._settings.precision == "bfloat16"):
            outcome = self.learner(batch, self._limits, forced=forced)
        right = labels if self._teacher is None else self._teacher(batch)
        assert right is not None, "checked at the start"
        told = control_losses(*self._opened(outcome), self._reward(outcome, right))
        losses = {node.name: told[at] for at, node in enumerate(self._learning)}
        if self._settings.regular == "frozen":
            return losses
        loss = self._settings.regular_weight * regular_loss(outcome.logits, right, self._settings.regular)
        return {**losses, self._graph.answer: loss}

    def rate(self, epoch: int, step: int, steps: int) -> float:
        return learning_rate(epoch * steps + step, self.epochs * steps)

    def _explore(self, rows: int, epsilon: float) -> dict[str, Tensor]:
        """By control node, [B] a random edge with probability epsilon, else -1. Drawn on the CPU: alike everywhere."""
        forced = {}
        for node in self._learning:
            edges = torch.randint(len(node.edges), (rows,))
            forced[node.name] = torch.where(torch.rand(rows) < epsilon, edges, -1).to(self.device)
        return forced

    def _opened(self, outcome: Outcome) -> tuple[Tensor, Tensor]:
        """[G, B] scores of the edges that were opened, and whether any was."""
        values, ran = [], []
        for node in self._learning:
            route = outcome.route[:, self._graph.controls.index(node)]
            ran.append(route < len(node.edges))
            values.append(outcome.values[node.name].gather(1, route.clamp(max=len(node.edges) - 1)[:, None])[:, 0])
        return torch.stack(values), torch.stack(ran)

    def _reward(self, outcome: Outcome, right: Tensor) -> Tensor:
        """One per mini-bag."""
        weight, bag = self._settings.accuracy_weight, self._settings.bag
        spent = torch.from_numpy(route_macs(self._graph, self._macs, outcome.route.cpu().numpy())).to(self.device)
        efficiency = (1 - spent / max(1, self._all)).float().view(-1, bag).mean(dim=1)
        answers = outcome.logits.detach().argmax(dim=1)
        metric = self._settings.metric if bag > 1 else "accuracy"
        good = judge_bags(
            answers.view(-1, bag),
            right.view(-1, bag),
            metric,
            classes=outcome.logits.shape[1],
            positive=self._settings.positive,
        )
        return weight * good + (1 - weight) * efficiency


def _copy(graph: Graph, settings: QSettings) -> Executor:
    """An executor of copies, in training mode where they learn."""
    copies = copy.deepcopy(dict(graph.bodies))  # at once: weights that two bodies share stay shared
    learning = {node.name for node in find_learning(graph)}
    guarded = {
        name: Guarded(body, apart=settings.apart and name in learning)  # type: ignore[arg-type]  # checked before
        for name, body in copies.items()
    }
    executor = Executor(graph.with_bodies(guarded)).train()
    for name, body in executor.bodies.items():
        moves = name in learning or settings.regular != "frozen"
        body.train(moves).requires_grad_(moves)
    return executor


def _optimizer(learner: Executor, settings: QSettings) -> torch.optim.Optimizer:
    """Control nodes at the whole rate, regular nodes at their own."""
    control = [weight for node in find_learning(learner.graph) for weight in learner.bodies[node.name].parameters()]
    known = set(control)
    regular = [weight for weight in learner.parameters() if weight.requires_grad and weight not in known]
    groups = [
        {"params": control, "peak": settings.learning_rate},
        {"params": regular, "peak": settings.learning_rate * settings.regular_rate},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], weight_decay=settings.weight_decay)
