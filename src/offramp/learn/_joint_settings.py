"""How all exits of a network are trained together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from offramp.errors import OptionError

from ._schedule import Schedule
from ._settings import TrainingSettings

Regime = Literal["joint", "mixed", "frozen"]
Optimizer = Literal["adam", "sgd"]

EARLY_WEIGHT, FINAL_WEIGHT = 1.0, 0.3  # of the exits' losses: BranchyNet, section IV


@dataclass(frozen=True, slots=True, kw_only=True)
class JointSettings(TrainingSettings):
    """What decides the result of `learn.joint`.

    Attributes:
        learning_rate: Highest learning rate of the schedule, which begins with a short linear warm-up.
        weight_decay: Weight decay of the optimizer, 0 or more.
        regime: "mixed" trains the backbone alone for `backbone_epochs` (0: it is trained already), then everything
            together; "joint" everything together from the start; "frozen" the heads alone.
        backbone_epochs: Number of passes over the samples before `epochs`, for "mixed" alone.
        weights: Weight of each exit's loss, in order, the final one last; None for 1.0 at early exits and 0.3 at the
            final one.
        distill: Share of the final exit's soft answers in what early exits learn from, in [0, 1]; the rest are labels.
        emphasis: How much more easy samples count at early exits and hard ones at late exits, in [0, 1).
        optimizer: "adam" (AdamW) or "sgd" (with Nesterov momentum).
        momentum: Momentum of SGD, in [0, 1).
        schedule: Course of the learning rate: "cosine", "step" or "constant", anew for each of the two phases of
            "mixed".
        backbone_rate: The backbone's learning rate as a factor of the heads', above 0.
        devices: Number of processes, each with its share of every batch; more than 1 needs the extra `devices`.
        accelerator: Kind of device of the processes in Lightning Fabric's words, such as "cpu" or "cuda".

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
        """The weight of each exit's loss.

        Args:
            exits: Number of exits, the final one included.

        Returns:
            One weight per exit, the final one last.

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
