"""What is asked of a decision."""

from __future__ import annotations

from dataclasses import dataclass

from offramp.measure import Quality

from ._loss import Kind, check_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked of a decision.

    Attributes:
        max_loss: Accepted share of lost answers.
        confidence: Of the promise.
        kind: "agreement", "harm" or "net".
    """

    max_loss: float = 0.01
    confidence: float = 0.95
    kind: Kind = "agreement"

    def __post_init__(self) -> None:
        check_target(self.max_loss, self.confidence)


def quality_for(kind: Kind) -> Quality:
    """What a frontier should keep, for a promise of this kind: net losses are lost accuracy.

    Args:
        kind: The kind of loss that is promised to stay small.

    Returns:
        The quality that `measure.frontier` trades for cost.
    """
    return "accuracy" if kind == "net" else kind
