"""What was chosen besides the point: exits, score and precision, each with the alternatives."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ._part import Known, Part


class CandidateRecord(Part):
    """A place where an exit could be; costs are shares of the network alone.

    Attributes:
        cut: Name of the place.
        head: The head that was trained there, as `Exits.head` takes it.
        reached: Cost of everything before it.
        head_cost: Cost of its head.
        border_cost: Cost of its gate.
    """

    cut: str
    head: str
    reached: float
    head_cost: float
    border_cost: float


class TrialRecord(Part):
    """Some of the candidates, and what they are expected to cost on the tuning samples.

    Attributes:
        kept: Which candidates, counted from 0.
        cost: Expected cost of a sample: seconds or multiply-accumulates, as `judged_by` says.
        relative: The same as a share of the network alone.
        loss: Share of answers that are lost there.
    """

    kept: tuple[int, ...]
    cost: float
    relative: float
    loss: float


class PlacedScoreRecord(Part):
    """The best exits by one of the scores that could gate.

    Attributes:
        score: Its name.
        kept: Which candidates stay with it.
        relative: What they are expected to cost, as a share of the network alone.
        loss: Share of answers that are lost there.
    """

    score: str
    kept: tuple[int, ...]
    relative: float
    loss: float


class PlacementRecord(Part):
    """Of which candidates the exits were chosen, and what the alternatives would cost.

    Attributes:
        judged_by: What costs are: "time" or "work".
        batch: Samples per call that were timed; null if work was counted.
        baseline: Cost of the network alone.
        allowed_loss: Share of answers that may be lost when tuning; null with a budget.
        candidates: All of them, in graph order.
        kept: Which of them stay.
        score: Name of the score that the gates compare.
        scores: Every score that could gate, with its best exits.
        tried: Number of choices that were compared.
        trials: The best of them, the chosen one first.
        always: Candidates that stay in any case.
        thresholds: The thresholds of the point for which these exits were chosen; null if nobody knows it any more.
    """

    judged_by: Literal["time", "work"]
    batch: int | None
    baseline: float
    allowed_loss: float | None
    candidates: tuple[CandidateRecord, ...]
    kept: tuple[int, ...]
    score: str
    scores: tuple[PlacedScoreRecord, ...] = ()
    tried: int
    trials: tuple[TrialRecord, ...]
    always: tuple[int, ...] = ()
    thresholds: tuple[float, ...] | None = None


class CurveRecord(Part):
    """A frontier as two columns.

    Attributes:
        relative_macs: Work of each point, as a share of the network alone.
        quality: What is kept there, as `frontier_quality` names it.
    """

    relative_macs: tuple[float, ...]
    quality: tuple[float, ...]


class RankedScoreRecord(Part):
    """One score of the evidence, judged on the tuning samples.

    Attributes:
        score: Its name.
        candidate: Whether it could have been chosen.
        area: Mean share of the network's work that is saved over all losses up to the accepted one.
        relative_macs: Work at the accepted loss, as a share of the network alone.
        frontier: Its curve.
    """

    score: str
    candidate: bool
    area: Known
    relative_macs: Known
    frontier: CurveRecord


class ScoresRecord(Part):
    """All scores of the evidence side by side.

    Attributes:
        auto: Whether the best of the candidates was chosen.
        area_up_to: Largest loss that areas count.
        accepted_loss: The loss at which `relative_macs` are told.
        full_quality: What the network alone keeps.
        ranked: Every score, the one that saves most first.
    """

    auto: bool
    area_up_to: float
    accepted_loss: float
    full_quality: float
    ranked: tuple[RankedScoreRecord, ...]


class TriedPrecisionRecord(Part):
    """A precision that was tried.

    Attributes:
        precision: Its name.
        expected_s: Seconds per call that are expected at the accepted loss.
        loss: Share of answers that are lost there, against the network in f32.
        allowed_loss: Share that may be.
    """

    precision: str
    expected_s: float
    loss: float
    allowed_loss: float


class BodyRecord(Part):
    """A part of the network in 8 bits.

    Attributes:
        name: Name of the part.
        agreement: Share of answers that stay as in float if this part alone is in 8 bits.
        kept: What it ships in: "int8", "float", or "part" if some of its layers stay in float.
        in_float: Names of those layers.
        noise: Share of the squared error of its outputs that went with those layers.
    """

    name: str
    agreement: float
    kept: str
    in_float: tuple[str, ...] = ()
    noise: Known = None


class PrecisionsRecord(Part):
    """What the file computes in, and why.

    Attributes:
        asked: What was asked for, as `Engine.precision` takes it.
        tried: Those that were compared, the chosen one first; empty if one was named.
        bodies: Parts in 8 bits.
        agreement: Name of an exit -> share of samples on which it answers as in float, everything in 8 bits.
    """

    asked: str
    tried: tuple[TriedPrecisionRecord, ...] = ()
    bodies: tuple[BodyRecord, ...] = ()
    agreement: dict[str, float] = Field(default_factory=dict)
