"""What is asked of a check for drift."""

from __future__ import annotations

from dataclasses import dataclass

from offramp.errors import OptionError

from ._target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftTest:
    """What is asked of a check for drift.

    Attributes:
        target: What was promised, or None if nothing was.
        confidence: The confidence of the limits of the loss.
        alpha: The probability with which samples of one kind may be called different.
        seed: The seed of the random divisions that the p-value of the exit rates comes from.

    Raises:
        OptionError: A share is not between 0 and 1.
    """

    target: Target | None = None
    confidence: float = 0.95
    alpha: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("confidence", self.confidence), ("alpha", self.alpha)):
            if not 0 < value < 1:
                raise OptionError(f"{name} must lie between 0 and 1, but is {value}. For one percent give 0.01.")
