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
from ._frozen_backbone import find_device
from ._q_acts import Acts, swap, swap_rows, turn_one
from ._q_losses import control_losses, regular_loss
from ._q_settings import QSettings
from ._reward import judge_bags
from ._routed_body import RoutedBody
from ._schedule import learning_rate
from ._teacher import Teacher, passing_thresholds
from ._trainable_graph import check_learnable
from ._training import Training


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

    Each sample, or each mini-bag of them, earns one reward r = lambda A + (1 - lambda) E for all control nodes. A
    measures how good the answers are. E is 1 - MACs of what ran / MACs of all nodes that can run, its mean over the
    bag; it and any other straight line through the costs differ only in what lambda means. Samples really take their
    edges, at random with a chance that falls from 1, so a step costs what the network costs; only nodes that ran learn
    from a sample. Training starts from the weights that the graph has. On a CPU the result depends on graph, samples
    and settings alone, however often the training was killed.

    A reward tells what an edge was worth together with all else that was done, on a sample that may be easy or hard.
    With `counterfactual` each step runs its samples twice; the second time one control node of each sample opens
    another edge, and everything else stays: the node sees two rewards of one sample that differ by its doing alone.

    Threshold gates, if there are any beside control nodes that learn, stop no sample meanwhile.

    Args:
        graph: Graph with control nodes that have bodies, as `attach.controllers` or `attach.d2nn` makes it; it is not
            changed.
        samples: Samples to learn from, at least one batch, with labels unless a teacher judges.
        settings: How to learn; None for the defaults.
        checkpoint: Path of a file in which the training keeps where it stands; None keeps nothing.
        resume: True goes on from `checkpoint` if it exists.
        progress: True draws a bar on stderr, False does not, None does so on a terminal.

    Returns:
        A graph of the same structure with other weights.

    Raises:
        DataError: The samples have no labels, or labels that the network has no class for.
        LearnError: No control node can learn, or there are too few samples; the checkpoint is of another training; a
            loss is not finite.
        OptionError: `resume` was given without `checkpoint`.
        OutputError: The checkpoint cannot be written.

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks: Optimizing Accuracy-Efficiency Trade-offs by Selective Execution",
        AAAI 2018, arXiv 1701.00299, on learning: reward, epsilon-greedy, mini-bags, losses. Of E the paper
        tells only that it falls with the number of multiplications; the formula is ours, as are counterfactual runs.
    """
    settings = settings or QSettings()
    check_resume(checkpoint, resume)
    _check(graph, samples, settings)
    task = _Task(graph, settings)
    training = Training(graph, samples, settings, task=task, digest=digest_weights(graph.bodies))
    training.run(checkpoint=checkpoint, resume=resume, progress=progress)
    task.learner.eval()
    return graph.with_bodies({name: body.body for name, body in task.learner.bodies.items()})  # type: ignore[misc]  # RoutedBody


def find_learning(graph: Graph) -> tuple[Node, ...]:
    """The control nodes that learn: those that compare no score with a threshold.

    Args:
        graph: Any graph.

    Returns:
        Nodes in graph order.
    """
    return tuple(node for node in graph.controls if node.gate is None)


def _check(graph: Graph, samples: Samples, settings: QSettings) -> None:
    if not find_learning(graph):
        raise LearnError(
            f"Q-learning needs control nodes with bodies, but none of the graph's {len(graph.controls)} has one. "
            "Use attach.d2nn, or choose thresholds with decide.thresholds."
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


class _Task:
    """A graph that runs as its control nodes and chance wish, and the loss of each of its nodes."""

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
        self._classes = graph[graph.answer].outputs[0].shape[0]
        self._all = sum(self._macs[name] for name in running_nodes(graph))
        self._teacher = Teacher(graph) if settings.judge == "teacher" else None

    def losses(self, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: int) -> dict[str, Tensor]:
        forced = self._explore(len(next(iter(batch.values()))), self._settings.epsilon(epoch))
        runs = [self._run(batch, forced)]
        if self._settings.counterfactual:
            runs.append(self._run(batch, self._turn_one(runs[0])))
        right = labels if self._teacher is None else self._teacher(batch)
        assert right is not None, "checked at the start"
        done = self._act(runs[0])
        terms = [control_losses(done.values, done.ran, self._reward(done, right))]
        for run in runs[1:]:
            bag = self._settings.bag
            swapped = swap(done, self._act(run), bag)
            terms.append(
                control_losses(swapped.values, swapped.ran, self._reward(swapped, swap_rows(right, right, bag)))
            )
        mean = torch.stack(terms).mean(dim=0)
        losses = {node.name: mean[at] for at, node in enumerate(self._learning)}
        if self._settings.regular == "frozen":
            return losses
        regular = torch.stack([regular_loss(run.logits, right, self._settings.regular) for run in runs]).mean()
        return {**losses, self._graph.answer: self._settings.regular_weight * regular}

    def _run(self, batch: Mapping[str, Tensor], forced: dict[str, Tensor]) -> Outcome:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._settings.precision == "bfloat16"):
            outcome: Outcome = self.learner(batch, self._limits, forced=forced)
        return outcome

    def rate(self, epoch: int, step: int, steps: int) -> float:
        return learning_rate(epoch * steps + step, self.epochs * steps)

    def _explore(self, rows: int, epsilon: float) -> dict[str, Tensor]:
        """By control node, [B] a random edge with probability epsilon, else -1. Drawn on the CPU: alike everywhere."""
        forced = {}
        for node in self._learning:
            edges = torch.randint(len(node.edges), (rows,))
            forced[node.name] = torch.where(torch.rand(rows) < epsilon, edges, -1).to(self.device)
        return forced

    def _turn_one(self, outcome: Outcome) -> dict[str, Tensor]:
        """By control node, [B] the edge that was opened, but for one control node of each sample another."""
        turned = turn_one(self._routes(outcome).cpu(), [len(node.edges) for node in self._learning])
        return {node.name: turned[at].to(self.device) for at, node in enumerate(self._learning)}

    def _routes(self, outcome: Outcome) -> Tensor:
        """[G, B] the edges that the control nodes that learn opened."""
        return torch.stack([outcome.route[:, self._graph.controls.index(node)] for node in self._learning])

    def _act(self, outcome: Outcome) -> Acts:
        """What each sample did, and what it led to."""
        values, ran = [], []
        for node, route in zip(self._learning, self._routes(outcome), strict=True):
            ran.append(route < len(node.edges))
            values.append(outcome.values[node.name].gather(1, route.clamp(max=len(node.edges) - 1)[:, None])[:, 0])
        macs = torch.from_numpy(route_macs(self._graph, self._macs, outcome.route.cpu().numpy())).to(self.device)
        return Acts(
            values=torch.stack(values),
            ran=torch.stack(ran),
            answers=outcome.logits.detach().argmax(dim=1),
            efficiency=(1 - macs / max(1, self._all)).float(),
        )

    def _reward(self, acts: Acts, right: Tensor) -> Tensor:
        """One per mini-bag."""
        weight, bag = self._settings.accuracy_weight, self._settings.bag
        good = judge_bags(
            acts.answers.view(-1, bag),
            right.view(-1, bag),
            self._settings.metric if bag > 1 else "accuracy",
            classes=self._classes,
            positive=self._settings.positive,
        )
        return weight * good + (1 - weight) * acts.efficiency.view(-1, bag).mean(dim=1)


def _copy(graph: Graph, settings: QSettings) -> Executor:
    """An executor of copies, in training mode where they learn."""
    copies = copy.deepcopy(dict(graph.bodies))  # at once: weights that two bodies share stay shared
    learning = {node.name for node in find_learning(graph)}
    routed = {
        name: RoutedBody(body, apart=settings.apart and name in learning, exact=name in learning)  # type: ignore[arg-type]  # checked before
        for name, body in copies.items()
    }
    executor = Executor(graph.with_bodies(routed)).train()
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
