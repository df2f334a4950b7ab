"""How exits are trained: the options of a run, from which `learn` gets its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from offramp.errors import OptionError

from ._ranges import find_outside, find_unknown, refuse

Regime = Literal["post", "cumulative", "frozen", "mixed", "joint"]
Precision = Literal["float32", "bfloat16"]
Targets = Literal["soft", "hard"]
SUPERVISED = ("frozen", "mixed", "joint")  # regimes in which labels teach
KNOWN = {"regime": get_args(Regime), "precision": get_args(Precision), "targets": get_args(Targets)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the exits of a network are trained.

    Attributes:
        regime: "post": heads learn from the network's own answers, so that no labels are needed. "cumulative": and
            their confidences with them, at a price of compute. With labels: "frozen" (the heads alone), "mixed" (the
            trained network and its heads together) or "joint" (the same for a network that is not trained yet).
        epochs: Passes over the training samples.
        price: With "cumulative": what one whole network's compute costs, in nats of cross-entropy; 1 if None.
        precision: "float32", or "bfloat16", which is several times as fast where the processor knows it.
        targets: What heads learn with "post": "soft", the network's probabilities, or "hard", its answers.
        sample_weighting: With "post": how much less a sample counts at an exit if earlier ones would let it go, from
            0 to 1.
        mixup: With "post": the chance of a training sample to be mixed with another, from 0 to 1; for many epochs on
            the network's own training set.

    Raises:
        OptionError: A value outside its range, or one that goes with another regime.

    Example:
        >>> Training(regime="mixed", epochs=30).needs_labels
        True
    """

    regime: Regime = "post"
    epochs: int = 8
    price: float | None = None
    precision: Precision = "float32"
    targets: Targets = "soft"
    sample_weighting: float = 0.0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be, before any work."""
        refuse(
            {
                **find_outside(
                    "training", epochs=self.epochs, price=self.price, sample_weighting=self.sample_weighting,
                    mixup=self.mixup,
                ),
                **find_unknown("training", KNOWN, regime=self.regime, precision=self.precision, targets=self.targets),
            }
        )  # fmt: skip
        if self.regime != "post" and (self.targets, self.sample_weighting, self.mixup) != ("soft", 0.0, 0.0):
            raise OptionError(
                "training.targets, training.sample_weighting and training.mixup belong to training.regime post, but "
                f"the regime is {self.regime}. Leave them out.",
                about=["training.targets", "training.sample_weighting", "training.mixup", "training.regime"],
            )
        if self.regime != "cumulative" and self.price is not None:
            raise OptionError(
                f"training.price goes with training.regime cumulative, but the regime is {self.regime}. Leave it out.",
                about=["training.price", "training.regime"],
            )

    @property
    def needs_labels(self) -> bool:
        """Whether labels teach."""
        return self.regime in SUPERVISED
