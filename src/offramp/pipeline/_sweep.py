"""`offramp sweep`: chooses and draws again from the evidence of a run; never runs the network, never loads PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from offramp.decide import Target
from offramp.errors import OptionError
from offramp.measure import Evidence, Frontier
from offramp.store._machine import describe_command
from offramp.store.record import LossRecord, SweepRecord

from ._apply import apply_choice
from ._choice import Choice, choose_from, pick
from ._opened import Opened
from ._redraw import redraw
from ._result import record_goal, record_guarantee, record_point, record_search
from ._screen import Screen
from ._search import Search

LOSSES = (0.001, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05)


def sweep(
    opened: Opened,
    screen: Screen,
    *,
    goal: Target | None = None,
    score: str | None = None,
    search: Search | None = None,
    apply: bool = False,
) -> SweepRecord:
    """Draw the curve again, choose again, say what each loss would cost, and rewrite the report.

    Args:
        opened: The run.
        screen: Where progress and warnings go.
        goal: What to choose by; that of the folder if None.
        score: Name of one of the evidence's scores; the one that the file gates by if None.
        search: How points are looked for; as in the folder if None.
        apply: Write the chosen thresholds and their promise to the folder too, unless the promise is refused.

    Raises:
        OptionError: Another score than the file's was to be applied.
        OfframpError: The evidence does not hold what is asked for.
    """
    gated = opened.record.score
    if apply and score not in (None, gated):
        raise OptionError(
            f"apply=True needs the score that the file gates by, {gated}, but got {score}. Drop one.",
            about=["apply=True"],
        )
    search = search or opened.search
    with screen.step("decision"):
        choice = pick(goal or opened.goal, search, opened.parts, opened.costs, score or gated, clock=opened.clock)
        found = record_choice(opened, choice, search)
    applied = apply and not found.is_refused
    found = found.model_copy(update={"applied": applied})
    with screen.step("report"):
        if applied:
            apply_choice(opened, found, screen)
        else:
            redraw(opened.folder, opened.record, opened.parts["test"], found, screen)
    if apply and not applied:
        screen.warn("nothing could be promised, so the file keeps its thresholds.")
    return found


def price_losses(
    drawn: Frontier, goal: Target, parts: Mapping[str, Evidence], *, timed: Frontier | None = None
) -> tuple[LossRecord, ...]:
    """What each acceptable loss would cost: the promised points on the test samples.

    Args:
        drawn: The curve, for promises of the goal's kind.
        goal: A promise; its own loss is one of those tried.
        parts: Evidence by part; calibrate proves, test only measures.
        timed: The curve by time, along which is proven if there is one.
    """
    rows = []
    for loss in sorted({*LOSSES, *(() if goal.max_loss is None else (goal.max_loss,))}):
        choice = choose_from(drawn, replace(goal, max_loss=loss, budget=None, knee=False), parts, timed=timed)
        told = record_guarantee(choice.decision.guarantee, choice.test_loss, choice.test_interval)
        assert told is not None, "a promise was asked for"
        rows.append(LossRecord(**told.model_dump(), **record_point(choice.test).model_dump()))
    return tuple(rows)


def record_choice(opened: Opened, choice: Choice, search: Search) -> SweepRecord:
    """What was found, as it is recorded.

    Args:
        opened: The run.
        choice: The point.
        search: How the curve was drawn.
    """
    drawn, kind = choice.frontier, choice.goal.kind or "agreement"
    record = opened.record
    return SweepRecord(
        folder=str(opened.folder),
        command=describe_command(),
        engine=record.engine,
        precision=record.precision,
        samples=record.samples,
        score=drawn.score,
        search=record_search(search),
        goal=record_goal(choice.goal),
        kind=kind,
        confidence=choice.goal.confidence,
        quality=drawn.quality,
        points=tuple(record_point(point) for point in drawn.points),
        knee=choice.knee,
        losses=price_losses(drawn, replace(choice.goal, kind=kind), opened.parts, timed=choice.timed),
        chosen=record_point(choice.test),
        guarantee=record_guarantee(choice.decision.guarantee, choice.test_loss, choice.test_interval),
        in_file=record.chosen.thresholds,
    )
