"""From evidence to a chosen operating point: draw a curve on tune, decide and prove on calibrate, look at test.

No PyTorch, so that `offramp sweep` chooses again as `offramp optimize` chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from offramp import decide
from offramp.decide import Decision, Target
from offramp.errors import CurveError
from offramp.measure import Costs, Evidence, Frontier, OperatingPoint, Quality, frontier, operate, screening

from ._search import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A chosen operating point, and where it was chosen from.

    Attributes:
        goal: What was asked; the kind of a promise is named.
        frontier: Drawn on the tuning samples.
        decision: Which point, and what is promised.
        test: The chosen point on the test samples.
        test_loss: Mean loss there, of the kind that was promised; None without a promise.
        test_interval: Between which limits the loss of all samples lies, by the test samples, with 95 % confidence.
        knee: Position of the knee on the frontier, if it has one.
        timed: The curve by time that a promised point was chosen from instead, or None.
    """

    goal: Target
    frontier: Frontier
    decision: Decision
    test: OperatingPoint
    test_loss: float | None
    knee: int | None
    timed: Frontier | None = None
    test_interval: tuple[float, float] | None = None


def pick(
    goal: Target, search: Search, parts: Mapping[str, Evidence], costs: Costs, score: str, *, clock: Costs | None = None
) -> Choice:
    """The point that a goal asks for.

    Args:
        goal: A promise, a budget, or the knee.
        search: How the curve is drawn.
        parts: Evidence of "tune", "calibrate" and "test"; nothing is chosen on the last.
        costs: Multiply-accumulates by exit.
        score: Name of the score that the gates compare.
        clock: Seconds by exit, if they are known.

    Raises:
        OfframpError: The evidence does not hold what the goal needs, or no point meets a budget.
    """
    goal = name_kind(goal, parts["calibrate"])
    quality = decide.quality_for(goal.kind) if goal.kind else "agreement"
    drawn, timed = (
        None if each is None else draw(search, parts["tune"], each, score=score, quality=quality)
        for each in (costs.expect("macs"), clock and clock.expect("seconds"))
    )
    assert drawn is not None
    return choose_from(drawn, goal, parts, timed=timed)


def draw(search: Search, tune: Evidence, costs: Costs, *, score: str, quality: Quality) -> Frontier:
    """The curve of operating points on the tuning samples."""
    if search.name == "screening":
        return screening(tune, costs, score=score, grid=search.grid, shares=search.shares, quality=quality)
    return frontier(tune, costs, score=score, quality=quality)


def choose_from(
    drawn: Frontier, goal: Target, parts: Mapping[str, Evidence], *, timed: Frontier | None = None
) -> Choice:
    """The point that a goal asks for, whose kind is named; the rest as for `pick`.

    Args:
        drawn: The curve; everything is told in its costs.
        goal: Budgets are of multiply-accumulates, and so is the knee: both are found on it.
        parts: Evidence by part.
        timed: The curve by time. A promise is proven along it, since who accepts a loss wants the fastest point.
    """
    by = timed if timed is not None and goal.mode == "promise" else drawn
    decision = _tell(_decide(goal, by, parts["calibrate"]), drawn, parts)
    point, loss, interval = decision.thresholds, None, None
    if goal.mode == "promise" and goal.kind is not None:
        losses = decide.find_losses(parts["test"], point, drawn.score, goal.kind)
        losses = losses[np.random.default_rng(0).permutation(len(losses))]  # bets need a random order
        loss, interval = float(losses.mean()), decide.loss_interval(losses, goal.kind)
    return Choice(
        goal=goal,
        frontier=drawn,
        decision=decision,
        test=operate(parts["test"], drawn.costs, point, drawn.score),
        test_loss=loss,
        knee=_knee(drawn),
        timed=timed,
        test_interval=interval,
    )


def name_kind(goal: Target, calibrate: Evidence) -> Target:
    """The goal with the kind of its promise: harm if there are labels, else agreement."""
    if goal.mode != "promise" or goal.kind is not None:
        return goal
    return replace(goal, kind=goal.kind_with(labels=calibrate.labels is not None))


def _decide(goal: Target, drawn: Frontier, calibrate: Evidence) -> Decision:
    if goal.budget is not None:
        return decide.budget(drawn, goal.budget)
    if goal.max_loss is None:
        return decide.knee(drawn)
    assert goal.kind is not None
    return decide.thresholds(
        drawn, calibrate, max_loss=goal.max_loss, confidence=goal.confidence, kind=goal.kind, margin=goal.margin
    )


def _tell(decision: Decision, drawn: Frontier, parts: Mapping[str, Evidence]) -> Decision:
    """The decision in the costs of this curve."""
    point, evaluated = (
        operate(parts[name], drawn.costs, decision.thresholds, drawn.score) for name in ("tune", "calibrate")
    )
    return replace(decision, point=point, evaluated=None if decision.evaluated is None else evaluated)


def _knee(drawn: Frontier) -> int | None:
    try:
        return drawn.points.index(decide.knee(drawn).point)
    except CurveError:
        return None
