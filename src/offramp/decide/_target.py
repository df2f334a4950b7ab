"""What is asked of a decision: a promise, a budget, or the knee of the frontier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from offramp.errors import OptionError
from offramp.measure import Quality

from ._loss import Kind

USUAL_LOSS = 0.01  # accepted where nobody says which
SMALLEST, LARGEST = 1e-9, 1e9  # of a share: one in a billion samples is more than anybody has
Mode = Literal["promise", "budget", "knee"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """By what an operating point is chosen: the cheapest that keeps a promise, the best in a budget, or the knee.

    Attributes:
        max_loss: The share of answers that may be lost; 0.01 unless a budget or the knee is asked for.
        confidence: The probability with which the promise holds for samples to come.
        kind: What counts as a loss: "agreement" (the answer differs from the full network's), "harm" (the full network
            is right and the answer wrong), or "net" (lost accuracy). None: harm if there are labels, else agreement.
        margin: The share of `max_loss` that is held in reserve: the point is chosen and proven for that much less.
        budget: Instead of a promise: the share of the network's multiply-accumulates that may be spent.
        knee: Instead of a promise: True takes the bend of the frontier.

    Raises:
        OptionError: Two of them at once, or a value outside its range.

    Example:
        >>> Target().max_loss, Target(budget=0.5).mode, Target(knee=True).mode
        (0.01, 'budget', 'knee')
    """

    max_loss: float | None = None
    confidence: float = 0.95
    kind: Kind | None = None
    margin: float = 0.0
    budget: float | None = None
    knee: bool = False

    def __post_init__(self) -> None:
        """Refuse what excludes each other, and values outside their range."""
        asked = {"max_loss": self.max_loss is not None, "budget": self.budget is not None, "knee": self.knee}
        named = [f"target.{name}" for name, given in asked.items() if given]
        if len(named) > 1:
            raise OptionError(
                f"{' and '.join(named)} exclude each other: choose by loss, by budget, or the knee.", about=named
            )
        if not named:
            object.__setattr__(self, "max_loss", USUAL_LOSS)  # frozen for all but itself
        self._check_shares()
        if self.kind not in (None, *get_args(Kind)):
            raise OptionError(
                f"target.kind must be agreement, harm or net, but is {self.kind!r}. Choose one of them.",
                about=["target.kind"],
            )

    def _check_shares(self) -> None:
        if self.budget is not None and not SMALLEST <= self.budget <= LARGEST:
            raise OptionError(
                f"target.budget must be a positive share, but is {self.budget}. For half the work give 0.5.",
                about=["target.budget"],
            )
        _check_share("target.max_loss", self.max_loss, "one percent give 0.01")
        _check_share("target.confidence", self.confidence, "95 percent give 0.95")
        if not 0 <= self.margin < 1:
            raise OptionError(
                f"target.margin must be 0 or more and below 1, but is {self.margin}. For a tenth in reserve give 0.1.",
                about=["target.margin"],
            )

    @property
    def mode(self) -> Mode:
        """Which of the three is asked for: "promise", "budget" or "knee"."""
        return "budget" if self.budget is not None else "knee" if self.knee else "promise"

    @property
    def limit(self) -> float:
        """The loss that is accepted; the usual 0.01 where nothing is promised."""
        return USUAL_LOSS if self.max_loss is None else self.max_loss

    def kind_with(self, *, labels: bool) -> Kind:
        """What counts as a loss: as asked, else harm where there are labels and agreement where there are none.

        Args:
            labels: Whether there are labels.

        Returns:
            "agreement", "harm" or "net".
        """
        return self.kind or ("harm" if labels else "agreement")

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """The target as `result.json` holds it.

        Returns:
            Its fields by name, and the mode under "name".
        """
        return {
            "max_loss": self.max_loss, "confidence": self.confidence, "kind": self.kind, "budget": self.budget,
            "margin": self.margin, "name": self.mode,
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Target:  # Any: JSON
        """The target that `to_json` told.

        Args:
            told: What `to_json` gave.

        Returns:
            An equal target.

        Example:
            >>> Target.from_json(Target(knee=True).to_json()) == Target(knee=True)
            True
        """
        given = {name: value for name, value in told.items() if name not in ("name", "knee")}
        return cls(**given, knee=given["max_loss"] is None and given["budget"] is None)


def _check_share(name: str, share: float | None, such_as: str) -> None:
    if share is not None and not SMALLEST <= share <= 1 - SMALLEST:  # NaN lies nowhere
        raise OptionError(
            f"{name} must lie between 0 and 1, a billionth from both, but is {share}. For {such_as}.", about=[name]
        )


def quality_for(kind: Kind) -> Quality:
    """What a frontier should keep, for a promise of this kind: net losses are lost accuracy.

    Args:
        kind: The kind of loss that is promised to stay small.

    Returns:
        The quality that `measure.frontier` trades for cost.
    """
    return "accuracy" if kind == "net" else kind
