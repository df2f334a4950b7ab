"""What every training needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from offramp.errors import OptionError

Augment = Literal["auto", "crop", "crop_flip", "none"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What every training needs to know.

    Attributes:
        epochs: Number of passes over the samples, at least 1.
        batch: Number of samples per step, at least 2; the last incomplete batch of an epoch is left out.
        learning_rate: Highest learning rate of the schedule, which begins with a short linear warm-up.
        weight_decay: Weight decay of the optimizer, 0 or more.
        temperature: Temperature of the softmax on both sides of a distillation, above 0.
        augment: Random crops (padding: an eighth of the side), and mirror images with "crop_flip"; "auto" takes
            "crop_flip" for color pictures, "crop" for grey ones and "none" for all else.
        seed: The seed of the samples' order, of augmentation and dropout.
        precision: Numbers that the forward pass computes in; weights and losses are float32.
        score_samples: Largest number of samples to which the scores that learn are fitted.
        checkpoint_interval_s: Seconds between two checkpoints; it does not change the result.

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
