"""How networks with exits are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from offramp.errors import OptionError

from ._schedule import Schedule

Augment = Literal["auto", "crop", "crop_flip", "none"]
Precision = Literal["float32", "bfloat16"]
Regime = Literal["joint", "mixed", "frozen"]
Optimizer = Literal["adam", "sgd"]
Targets = Literal["soft", "hard"]
CumulativeLoss = Literal["v0", "v1", "v2", "v3", "v4"]
Charge = Literal["all", "own"]
SetMetric = Literal["accuracy", "f1", "precision", "recall"]
OwnMetric = Callable[[NDArray[np.int64], NDArray[np.int64]], float]
Judge = Literal["labels", "teacher"]
Regular = Literal["q", "cross_entropy", "frozen"]

EARLY_WEIGHT, FINAL_WEIGHT = 1.0, 0.3  # of the exits' losses: BranchyNet, section IV


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What every training needs to know.

    Attributes:
        epochs: Passes over the samples.
        batch: Samples per step; the last incomplete batch of an epoch is left out.
        learning_rate: Peak of the schedule, which begins with a short linear warm-up.
        weight_decay: Of the optimizer.
        temperature: Of the softmax on both sides of a distillation.
        augment: Random crops (padding: an eighth of the side), and mirror images with "crop_flip"; "auto" takes
            "crop_flip" for color pictures, "crop" for grey ones and "none" for all else.
        seed: Of order, augmentation and dropout.
        precision: Of the forward pass; weights and losses are float32.
        score_samples: At most so many samples are used to fit the scores that learn.
        checkpoint_interval_s: Seconds between two checkpoints; does not change the result.

    Raises:
        OptionError: A value outside its range.
    """

    epochs: int = 8
    batch: int = 128
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2
    temperature: float = 2.0
    augment: Augment = "auto"
    seed: int = 0
    precision: Precision = "float32"
    score_samples: int = 20_000
    checkpoint_interval_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse values outside their range, all at once."""
        wrong = [name for name, fine in self._checks().items() if not fine]
        if wrong:
            given = ", ".join(f"{name}={getattr(self, name)!r}" for name in wrong)
            raise OptionError(
                f"training needs positive numbers (some may be 0), shares between 0 and 1, and known "
                f"names, but got {given}. Leave the option out to get its default."
            )

    def _checks(self) -> dict[str, bool]:
        return {
            "epochs": self.epochs >= 1,
            "batch": self.batch >= 2,
            "learning_rate": 0 < self.learning_rate < float("inf"),
            "weight_decay": 0 <= self.weight_decay < float("inf"),
            "temperature": 0 < self.temperature < float("inf"),
            "augment": self.augment in get_args(Augment),
            "seed": self.seed >= 0,
            "precision": self.precision in get_args(Precision),
            "score_samples": self.score_samples >= 1,
            "checkpoint_interval_s": self.checkpoint_interval_s >= 0,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillSettings(TrainingSettings):
    """Everything that decides what `learn.distill_heads` learns; the defaults suit pictures and tokens alike.

    The optimizer is AdamW, the schedule half a cosine.

    Attributes:
        targets: What heads learn: "soft", the full network's softened probabilities, or "hard", its answers (then the
            temperature does not matter).
        survivors: How much less a sample counts at an exit if earlier ones would let it go, in [0, 1]: 0 counts all
            alike, 1 only those who come there. Begins after a quarter of the epochs, rounded down.
        mix: Chance of a sample to be mixed with another of its batch, in [0, 1]; for floating-point inputs alone. Helps
            where the samples are those that the network was trained on, if there are epochs enough: in many it keeps
            a student from learning them by heart, in few it only makes the lesson harder.

    Example:
        >>> DistillSettings(epochs=2).temperature
        2.0
    """

    targets: Targets = "soft"
    survivors: float = 0.0
    mix: float = 0.0

    def _checks(self) -> dict[str, bool]:
        return TrainingSettings._checks(self) | {
            "targets": self.targets in get_args(Targets),
            "survivors": 0 <= self.survivors <= 1,
            "mix": 0 <= self.mix <= 1,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JointSettings(TrainingSettings):
    """Everything that decides what `learn.joint` learns.

    Attributes:
        regime: "mixed" trains the backbone alone for `backbone_epochs` (0: it is trained already), then everything
            together; "joint" everything together from the start; "frozen" the heads alone.
        backbone_epochs: Passes before `epochs`, with "mixed" alone.
        weights: Of the exits' losses in order, the final one last; None for 1.0 at early exits and 0.3 at the last.
        distill: Share of the final exit's soft answers in what early exits learn from; the rest are labels.
        emphasis: How much easy samples count more at early exits and hard ones at late exits, in [0, 1).
        optimizer: "adam" (AdamW) or "sgd" (with Nesterov momentum).
        momentum: Of SGD.
        schedule: "cosine", "step" or "constant", anew for each of the two phases of "mixed".
        backbone_rate: The backbone's learning rate as a factor of the heads'.
        devices: Processes, each with its share of every batch; more than 1 needs the extra `devices`.
        accelerator: Where the processes run, in Lightning Fabric's words, such as "cpu" or "cuda".

    Example:
        >>> JointSettings(regime="joint", weights=(1.0, 0.3)).optimizer
        'adam'

    Reference:
        Teerapittayanon, McDanel and Kung, "BranchyNet", ICPR 2016, sections III B and IV (weights, Adam at 0.001);
        Kubaty et al., "How to Train Your Multi-Exit Model?", ICML 2025, for the three regimes.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    regime: Regime = "mixed"
    backbone_epochs: int = 0
    weights: tuple[float, ...] | None = None
    distill: float = 0.0
    emphasis: float = 0.0
    optimizer: Optimizer = "adam"
    momentum: float = 0.9
    schedule: Schedule = "cosine"
    backbone_rate: float = 1.0
    devices: int = 1
    accelerator: str = "auto"

    def weights_for(self, exits: int) -> tuple[float, ...]:
        """The weight of each of so many exits.

        Raises:
            OptionError: There are more or fewer weights than exits.
        """
        if self.weights is None:
            return (*[EARLY_WEIGHT] * (exits - 1), FINAL_WEIGHT)
        if len(self.weights) != exits:
            raise OptionError(
                f"weights must be one per exit, the final one included, so {exits}, but are {len(self.weights)}. "
                f"Give {exits} numbers, or none for {EARLY_WEIGHT:g} at early exits and {FINAL_WEIGHT:g} at the last."
            )
        return self.weights

    def _checks(self) -> dict[str, bool]:
        given = () if self.weights is None else self.weights
        return TrainingSettings._checks(self) | {
            "regime": self.regime in get_args(Regime),
            "backbone_epochs": self.backbone_epochs >= 0 and (self.regime == "mixed" or self.backbone_epochs == 0),
            "weights": all(0 <= weight < float("inf") for weight in given) and (not given or sum(given) > 0),
            "distill": 0 <= self.distill <= 1,
            "emphasis": 0 <= self.emphasis < 1,
            "optimizer": self.optimizer in get_args(Optimizer),
            "momentum": 0 <= self.momentum < 1,
            "schedule": self.schedule in get_args(Schedule),
            "backbone_rate": 0 < self.backbone_rate < float("inf"),
            "devices": self.devices >= 1,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CumulativeSettings(TrainingSettings):
    """Everything that decides what `learn.cumulative` learns; `temperature` plays no part.

    The optimizer is AdamW, the schedule half a cosine, anew for each of the two phases.

    Attributes:
        price: Lambda, of one backbone's compute in nats of cross-entropy; 0 asks for agreement alone. Too high, and all
            samples leave at the first exit, whatever it knows.
        loss: "v2" sums over the exits, "v1" looks at the whole alone, "v3" weighs exits by their confidence, "v4"
            teaches each exit which samples are its own, "v0" teaches no confidence: see `cumulative_losses`. Those of
            "v3" are shares: its authors stop above 1 / N with N exits, not above 0.5.
        warm_epochs: Passes with "v0" before `epochs`. With 0, as published, heads that know nothing yet can teach their
            confidences to stop nobody, and whom nobody asks learns nothing more.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QSettings(TrainingSettings):
    """Everything that decides what `learn.q` learns; `temperature` and `score_samples` play no part.

    The optimizer is AdamW, the schedule half a cosine over all epochs.

    Attributes:
        accuracy_weight: Lambda in the reward lambda A + (1 - lambda) E, in [0, 1]: 1 asks for accuracy alone.
        bag: Samples of a mini-bag, judged together by `metric`; 1 judges each sample by itself. Divides `batch`.
        metric: A of a mini-bag: "accuracy", "f1", "precision", "recall", or a function of its answers and its right
            classes, both [bag], that gives a number in [0, 1]. Of a single sample it is right (1) or wrong (0).
        positive: The class that f1, precision and recall look for; None takes the mean over the classes in the bag.
        judge: What is right: the "labels", or a "teacher": the answers that the graph gave before, along its dearest
            way.
        regular: What the answer teaches the regular nodes: "q" takes class scores as action values (squared error),
            "cross_entropy" as logits; "frozen" leaves the regular nodes as they are, in eval mode.
        regular_weight: Of that loss beside the control nodes' losses.
        regular_rate: The regular nodes' learning rate as a factor of the control nodes'.
        apart: True keeps the control nodes' losses from changing the regular nodes that they read. On a cascade for
            digits that made one of five trainings end close to the cheapest path, False none.
        counterfactual: True runs each step's samples a second time, with another edge at one control node of each
            sample: twice the work per step for rewards that differ by one decision. In a mini-bag one sample at a time
            is exchanged. On faces in scenes F1 was 91.0 % instead of 89.8 after as many epochs, a fifth of the samples
            on the dear way; on handwritten digits as many epochs more did as well.
        warm_epochs: Passes with random edges before `epochs`, so that every way is trained before one is preferred.
        epsilon_first: Share of random edges in the first of `epochs`.
        epsilon_last: Share of random edges at the end.
        decay: Share of `epochs` in which the first falls to the last, linearly, epoch by epoch.

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
        """Share of random edges in an epoch, warm ones counted first."""
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
