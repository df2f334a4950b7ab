"""`offramp sweep`: chooses and draws again from the evidence of a run; never runs the network, never loads PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from offramp import report
from offramp.errors import DataError, OptionError
from offramp.measure import Costs, Evidence, Frontier
from offramp.store._folder import copy_folder, repair, replace_text
from offramp.store._machine import describe_command

from ._card import write_card
from ._choice import Choice, choose_from, pick
from ._redraw import redraw
from ._request import Goal, Search
from ._result import clean, describe_guarantee, describe_point, verdict
from ._screen import Screen
from ._times import known_times, show_times

LOSSES = (0.001, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05)
PARTS = ("tune", "calibrate", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run, as its folder holds it.

    Attributes:
        folder: Of `offramp optimize`.
        result: All that was written in `result.json`.
        parts: Evidence by part: tune, calibrate, test.
        costs: Of its exits.
        clock: Seconds by exit, if the run timed them.
    """

    folder: Path
    result: dict[str, Any]  # Any: JSON
    parts: dict[str, Evidence]
    costs: Costs
    clock: Costs | None = None

    @property
    def goal(self) -> Goal:
        """What the file's point was chosen by."""
        return Goal(**{name: value for name, value in self.result["goal"].items() if name != "name"})

    @property
    def search(self) -> Search:
        """How the file's curve was drawn."""
        return Search(**{name: _tuple(value) for name, value in self.result["search"].items()})


def sweep(
    run: Run,
    screen: Screen,
    *,
    goal: Goal | None = None,
    score: str | None = None,
    search: Search | None = None,
    apply: bool = False,
) -> dict[str, Any]:  # Any: JSON
    """Draw the curve again, choose again, say what each loss would cost, and rewrite the report.

    Args:
        run: As `open_run` found it.
        screen: Where progress and warnings go.
        goal: What to choose by; that of the folder if None.
        score: Name of one of the evidence's scores; the one that the file gates by if None.
        search: How points are looked for; as in the folder if None.
        apply: Write the chosen thresholds and their promise to the folder too, unless the promise is refused.

    Raises:
        OptionError: Another score than the file's was to be applied.
        OfframpError: The evidence does not hold what is asked for.
    """
    gated = run.result["score"]
    if apply and score not in (None, gated):
        raise OptionError(f"--apply needs the score that the file gates by, {gated}, but --score is {score}. Drop one.")
    goal = goal or run.goal
    search = search or run.search
    with screen.step("decision"):
        choice = pick(goal, search, run.parts, run.costs, score or gated, clock=run.clock)
        found = describe_choice(run, choice, search)
    applied = apply and (found["guarantee"] or {}).get("status") != "refused"
    with screen.step("report"):
        if applied:
            found["applied"] = True
            apply_choice(run, found, screen)
        else:
            redraw(run.folder, run.result, run.parts["test"], found, screen)
    if apply and not applied:
        screen.warn("nothing could be promised, so the file keeps its thresholds.")
    return found


def open_run(folder: Path) -> Run:
    """Read what a sweep needs.

    Raises:
        DataError: The folder lacks a file, or an older version wrote it.
        EvidenceError: The evidence is broken.
    """
    repair(folder)
    missing = [name for name in ("model.onnx", "result.json", "evidence.npz") if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{folder} must hold {', '.join(missing)}, but does not. Name a folder that `offramp optimize` wrote."
        )
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        counts = [int(result["samples"][name]) for name in PARTS]
        costs = Costs(per_exit=np.array(result["exit_macs"]), baseline=result["baseline"]["macs"], unit="macs")
        told = result.get("clock")  # older results have none
        clock = told and Costs(per_exit=np.array(told["exit_s"]), baseline=told["baseline_s"], unit="seconds")
        _ = result["search"], result["score"], result["goal"], result["chosen"]["thresholds"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / 'result.json'} must be written by this version, but {error} is missing or broken. "
            "Run `offramp optimize` again."
        ) from error
    seen = Evidence.load(folder / "evidence.npz")
    if len(seen) != sum(counts):
        raise DataError(
            f"{folder} must hold evidence of {sum(counts)} samples, but holds {len(seen)}. "
            "Run `offramp optimize` again."
        )
    return Run(folder=folder, result=result, parts=part(seen, counts), costs=costs, clock=clock)


def check_exits(run: Run) -> None:
    """Refuse a run that kept no early exit, where there is nothing to look after.

    Raises:
        DataError: So it is.
    """
    if not run.result["chosen"]["thresholds"]:
        raise DataError(
            f"{run.folder} must hold a network with early exits, but no exit paid there: it answers as the original "
            "always did, whatever the samples. Leave it."
        )


def part(seen: Evidence, counts: Sequence[int]) -> dict[str, Evidence]:
    """Evidence of tune, calibrate and test, which lie in it one after the other."""
    ends = np.cumsum(counts)
    return {name: seen.subset(slice(end - count, end)) for name, count, end in zip(PARTS, counts, ends, strict=True)}


def price_losses(
    drawn: Frontier, goal: Goal, parts: Mapping[str, Evidence], *, timed: Frontier | None = None
) -> list[dict[str, Any]]:  # Any: JSON
    """What each acceptable loss would cost: the promised points on the test samples.

    Args:
        drawn: The curve, for promises of the goal's kind.
        goal: A promise; its own loss is one of those tried.
        parts: Evidence by part; calibrate proves, test only measures.
        timed: The curve by time, along which is proven if there is one.
    """
    rows = []
    for loss in sorted({*LOSSES, *(() if goal.max_loss is None else (goal.max_loss,))}):
        choice = choose_from(drawn, replace(goal, max_loss=loss, budget=None), parts, timed=timed)
        told = describe_guarantee(choice.decision.guarantee, choice.test_loss, choice.test_interval)
        assert told is not None, "a promise was asked for"
        rows.append({**told, **describe_point(choice.test)})
    return rows


def describe_choice(run: Run, choice: Choice, search: Search) -> dict[str, Any]:  # Any: JSON
    """What was found, as JSON."""
    drawn, kind = choice.frontier, choice.goal.kind or "agreement"
    found = clean(
        {
            "folder": str(run.folder),
            "command": describe_command(),
            "engine": run.result["engine"],
            "precision": run.result["precision"],
            "samples": run.result["samples"],
            "score": drawn.score,
            "search": asdict(search),
            "goal": {**asdict(choice.goal), "name": choice.goal.name},
            "kind": kind,
            "confidence": choice.goal.confidence,
            "quality": drawn.quality,
            "points": [describe_point(point) for point in drawn.points],
            "knee": choice.knee,
            "losses": price_losses(drawn, replace(choice.goal, kind=kind), run.parts, timed=choice.timed),
            "chosen": describe_point(choice.test),
            "guarantee": describe_guarantee(choice.decision.guarantee, choice.test_loss, choice.test_interval),
            "in_file": run.result["chosen"]["thresholds"],
            "applied": False,
        }
    )
    assert isinstance(found, dict)
    return found


def apply_choice(
    run: Run, found: Mapping[str, Any], screen: Screen, *, evidence: Evidence | None = None, to: Path | None = None
) -> dict[str, Any]:  # Any: JSON
    """Put the thresholds and the promise in every file of the folder, all at once; gives the new result.

    Args:
        run: What the folder holds, or is to hold.
        found: The choice.
        screen: Is told if the pictures of the samples cannot be found again.
        evidence: On which the choice was made, if it is not that of the folder.
        to: Another folder, if the run's shall stay as it is.

    Raises:
        OutputError: The folder cannot be written.
    """
    work = copy_folder(run.folder, to)
    try:
        result = _with_choice(run.result, found)
        thresholds = found["chosen"]["thresholds"]
        write_card(work.whole / "model.onnx", {"thresholds": thresholds, "guarantee": found["guarantee"]})
        config = work.whole / "config.json"
        if config.is_file():
            told = {**json.loads(config.read_text(encoding="utf-8")), "thresholds": thresholds}
            replace_text(config, json.dumps(told, indent=1, allow_nan=False))
        if evidence is not None:
            evidence.save(work.whole / "evidence.npz")
        replace_result(work.whole, result)
        redraw(work.whole, result, run.parts["test"], found, screen)
        work.finish()
    finally:
        work.abandon()
    return result


def replace_result(folder: Path, result: Mapping[str, Any]) -> None:  # Any: JSON
    """Write the result and the model card that is made of it anew.

    Raises:
        OutputError: The folder cannot be written.
    """
    replace_text(folder / "result.json", json.dumps(result, indent=1, allow_nan=False))
    replace_text(folder / "README.md", report.model_card(result))


def _with_choice(result: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """The result with another point, and the times that belong to it; others are kept with theirs."""
    times = known_times(result)
    placement = result.get("placement")
    if placement and "thresholds" not in placement and not {"applied", "recalibrated"} & result.keys():
        placement = {**placement, "thresholds": result["chosen"]["thresholds"]}
    changed = {
        **result,
        "goal": found["goal"],
        "search": found["search"],
        "chosen": {**result["chosen"], **found["chosen"]},
        "guarantee": found["guarantee"],
        "frontier": found["points"],
        "frontier_quality": found["quality"],
        "knee": found["knee"],
        "placement": placement,
        "applied": found["command"],
    }
    changed = show_times(changed, times)
    return {**changed, "verdict": verdict(changed)}


def _tuple(value: Any) -> Any:  # Any: JSON
    return tuple(value) if isinstance(value, list) else value
