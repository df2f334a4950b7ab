"""How control nodes are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from offramp.errors import OptionError

from ._q_losses import Regular
from ._reward import OwnMetric, SetMetric
from ._settings import TrainingSettings

Judge = Literal["labels", "teacher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QSettings(TrainingSettings):
    """What decides the result of `learn.q`; `temperature` and `score_samples` play no part.

    The optimizer is AdamW, the schedule half a cosine over all epochs.

    Attributes:
        epochs: Number of passes over the samples after the warm ones.
        learning_rate: Highest learning rate of the schedule, which begins with a short linear warm-up.
        weight_decay: Weight decay of the optimizer, 0 or more.
        accuracy_weight: Lambda in the reward lambda A + (1 - lambda) E, in [0, 1]: 1 asks for accuracy alone.
        bag: Number of samples of a mini-bag, which `metric` judges together; 1 judges each sample by itself. It divides
            `batch`.
        metric: The A of a mini-bag: "accuracy", "f1", "precision", "recall", or a function of its answers and its right
            classes, both [bag], that gives a number in [0, 1]. For a single sample A is 1 if the answer is right.
        positive: The class that f1, precision and recall look for; None takes the mean over the classes in the bag.
        judge: What counts as right: the "labels", or a "teacher": the answers that the graph gave before, along its
            dearest way.
        regular: What the answer teaches the regular nodes: "q" takes class scores as action values (squared error),
            "cross_entropy" as logits; "frozen" leaves the regular nodes as they are, in eval mode.
        regular_weight: Weight of that loss beside the control nodes' losses, above 0.
        regular_rate: The regular nodes' learning rate as a factor of the control nodes', above 0.
        apart: True keeps the control nodes' losses from changing the regular nodes that they read. On a cascade for
            digits that made one of five trainings end close to the cheapest path, False none.
        counterfactual: True runs each step's samples a second time, with another edge at one control node of each
            sample: twice the work per step for rewards that differ by one decision. In a mini-bag one sample at a time
            is exchanged. On faces in scenes F1 was 91.0 % instead of 89.8 after as many epochs, a fifth of the samples
            on the dear way; on handwritten digits as many epochs more did as well.
        warm_epochs: Number of passes with random edges before `epochs`, so that every way is trained before one is
            preferred.
        epsilon_first: Share of random edges in the first of `epochs`, in [0, 1].
        epsilon_last: Share of random edges at the end, in [0, 1].
        decay: Share of `epochs`, in [0, 1], in which the first share falls to the last, linearly, epoch by epoch.

    Example:
        >>> QSettings(accuracy_weight=0.8, bag=16, metric="f1", positive=1).epsilon(0)
        1.0

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, arXiv 1701.00299, on learning: epsilon-greedy with
        epsilon from 1 down, mini-bags, and both kinds of losses on regular nodes. Its rates and lengths are not known
        to us; ours are tuned on handwritten digits. Raise the learning rate to 0.01 for shallow networks alone: the
        published chain then ends with features that are all 0.
    """

    epochs: int = 30
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    accuracy_weight: float = 0.9
    bag: int = 1
    metric: SetMetric | OwnMetric = "accuracy"
    positive: int | None = None
    judge: Judge = "labels"
    regular: Regular = "q"
    regular_weight: float = 1.0
    regular_rate: float = 1.0
    apart: bool = False
    counterfactual: bool = False
    warm_epochs: int = 2
    epsilon_first: float = 1.0
    epsilon_last: float = 0.1
    decay: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values outside their range; mini-bags and metrics with what helps."""
        metric: Any = self.metric
        if not callable(metric) and metric not in get_args(SetMetric):
            known = ", ".join(get_args(SetMetric))
            raise OptionError(f"metric must be {known} or a function, but is {metric!r}. Choose one of them.")
        TrainingSettings.__post_init__(self)
        if self.batch % self.bag:
            raise OptionError(
                f"a batch must hold whole mini-bags, but batch is {self.batch} and bag {self.bag}. "
                "Make batch a multiple of bag."
            )

    def epsilon(self, epoch: int) -> float:
        """The share of random edges in an epoch.

        Args:
            epoch: Which epoch, counted from 0 and with the warm ones first.

        Returns:
            A share in [0, 1].
        """
        past = epoch - self.warm_epochs
        if past < 0:
            return 1.0
        way = min(1.0, past / max(1.0, self.decay * self.epochs))
        return self.epsilon_first + way * (self.epsilon_last - self.epsilon_first)

    def _checks(self) -> dict[str, bool]:
        return TrainingSettings._checks(self) | {
            "accuracy_weight": 0 <= self.accuracy_weight <= 1,
            "bag": self.bag >= 1,
            "positive": self.positive is None or self.positive >= 0,
            "judge": self.judge in get_args(Judge),
            "regular": self.regular in get_args(Regular),
            "regular_weight": 0 < self.regular_weight < float("inf"),
            "regular_rate": 0 < self.regular_rate < float("inf"),
            "warm_epochs": self.warm_epochs >= 0,
            "epsilon_first": 0 <= self.epsilon_first <= 1,
            "epsilon_last": 0 <= self.epsilon_last <= 1,
            "decay": 0 <= self.decay <= 1,
        }
