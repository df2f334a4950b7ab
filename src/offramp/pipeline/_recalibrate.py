"""`offramp recalibrate`: thresholds for samples that changed; trains nothing, never loads PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from offramp import data, decide
from offramp.decide import Target
from offramp.errors import DataError
from offramp.measure import Evidence, evidence_by_passes
from offramp.run import Samples
from offramp.store._folder import check_out
from offramp.store._machine import (
    describe_command,
    describe_machine,
    describe_versions,
    relative_to_here,
    without_folders,
)

from ._choice import Choice, pick
from ._predict import BATCH, open_runtime, open_samples
from ._ranges import check_ranges
from ._request import LABELLED
from ._result import clean, judge_alone, tell_scores
from ._samples import count_once
from ._screen import Screen
from ._search import Search
from ._sweep import PARTS, Run, apply_choice, check_exits, describe_choice, part
from ._times import known_times

SHARES = (0.3, 0.5, 0.2)  # tune, calibrate, test: most go where the promise is proven
FEWEST = 15  # samples: three to test on
PER_CLASS = 5  # samples, from which on an absent class is no chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What is asked of a recalibration.

    Attributes:
        data: Reference to new samples; labels are not needed.
        goal: What to choose by; that of the folder if None. A promise without a kind is of the folder's kind.
        search: How points are looked for; as in the folder if None.
        out: Folder to write; that of the run if None.
        seed: Of the division into parts.
        threads: CPU threads of the engine.
        tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.
    """

    data: str
    goal: Target | None = None
    search: Search | None = None
    out: Path | None = None
    seed: int = 0
    threads: int = 1
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        check_ranges(seed=self.seed)

    @property
    def needs_labels(self) -> bool:
        """Whether a promise was asked for that only labels can prove."""
        return self.goal is not None and self.goal.kind in LABELLED


def recalibrate(run: Run, renewal: Renewal, screen: Screen) -> dict[str, Any]:  # Any: JSON
    """Choose thresholds anew on new samples, prove what they keep, and write the result that is returned.

    The network and its exits stay as they are. 30 % of the samples draw the frontier, 50 % prove the promise and the
    rest is reported. If nothing can be promised, the file lets nobody leave early.

    Args:
        run: As `open_run` found it.
        renewal: Which samples, and what to choose by.
        screen: Where progress and warnings go.

    Raises:
        DataError: The samples are too few or do not fit, or there is no early exit.
        OfframpError: The goal cannot be met on them, or the network is no chain of early exits.
        OutputError: The folder cannot be written; then it is as it was.
    """
    if renewal.out is not None:
        check_out(renewal.out)
    check_exits(run)
    tokenizer = renewal.tokenizer or run.result["options"]["tokenizer"]
    runtime = open_runtime(run.folder, engine=None, threads=renewal.threads)
    samples = open_samples(
        renewal.data, runtime, tokenizer=tokenizer, warn=None if renewal.needs_labels else screen.warn, strict=True
    )
    if renewal.needs_labels and samples.labels is None:
        assert renewal.goal is not None
        raise DataError(
            f"target.kind {renewal.goal.kind} needs labels, but {renewal.data} has none. Add some, or ask for "
            "agreement.",
            about=["target.kind"],
        )
    samples = count_once(samples, renewal.data, screen)
    if len(samples) < FEWEST:
        raise DataError(
            f"choosing, proving and testing need {FEWEST} samples at least, but there are {len(samples)}. Add some."
        )
    _warn_of_absent_classes(run, samples, screen)
    (shuffled,) = data.split(samples, (1.0,), renewal.seed)
    with screen.step(f"evidence of {len(samples)} samples: {runtime.engine} {runtime.precision}"):
        seen = evidence_by_passes(runtime, shuffled, batch=BATCH)
    divided = part(seen, np.diff(np.rint(len(samples) * np.cumsum((0, *SHARES)))).astype(int).tolist())
    apart = _warn_of_the_final_exit(run, screen)
    with screen.step("decision"):
        goal = _goal(run, renewal, seen, screen)
        search = renewal.search or run.search
        choice = pick(goal, search, divided, run.costs, run.result["score"], clock=run.clock)
    renewed = replace(run, parts=divided)
    renewed = replace(renewed, result=_renew(renewed, renewal, choice, tokenizer=tokenizer, apart=apart))
    with screen.step("report"):
        renewed.result["warnings"] += screen.warnings
        found = {**describe_choice(renewed, choice, search), "applied": True}
        return apply_choice(renewed, found, screen, evidence=seen, to=renewal.out)


def _warn_of_absent_classes(run: Run, samples: Samples, screen: Screen) -> None:
    """Say so if classes are absent though there are samples enough: the promise is about samples like these."""
    if samples.labels is None:
        return
    classes, present = int(run.result["model"]["classes"]), len(np.unique(samples.labels))
    if present < classes <= len(samples) / PER_CLASS:
        screen.warn(
            f"{present} of {classes} classes are among the new samples: thresholds and promise are for such samples. "
            "Give all classes that will come."
        )


def _goal(run: Run, renewal: Renewal, seen: Evidence, screen: Screen) -> Target:
    """What was asked for, else what the folder promised; without labels that is agreement."""
    goal, told = renewal.goal or replace(run.goal, kind=None), run.result["guarantee"]
    if goal.mode != "promise" or goal.kind is not None:
        return goal
    kind = run.goal.kind or (None if told is None else told["kind"])
    if seen.labels is None and kind not in (None, "agreement"):
        screen.warn(f"without labels {kind} cannot be promised, so agreement is: what did not change did no harm.")
        kind = "agreement"
    return replace(goal, kind=kind)


def _warn_of_the_final_exit(run: Run, screen: Screen) -> float:
    """How often the final exit differed from the original network, which is not here to be asked."""
    before = run.parts["calibrate"]
    apart = float((before.predictions[:, -1] != before.reference).mean())
    if apart:
        screen.warn(
            f"the final exit differed from the original network on {100 * apart:.2f} % of the former calibration "
            "samples; what is promised now is agreement with the final exit."
        )
    return apart


def _renew(
    run: Run, renewal: Renewal, choice: Choice, *, tokenizer: str | None, apart: float
) -> dict[str, Any]:  # Any: JSON
    """The result with everything that other samples change, but for the choice itself."""
    old, parts = run.result, run.parts
    counts = {name: len(parts[name]) for name in PARTS}
    score, drawn = choice.frontier.score, choice.frontier
    ranking = decide.rank_scores({score: drawn}, max_loss=choice.goal.max_loss)
    known = {name: old[name] for name in ("guarantee", "samples", "recalibrated") if name in old}
    result = clean(
        {
            **old,
            "options": {
                **old["options"],
                "held_out": relative_to_here(renewal.data),
                "tokenizer": tokenizer and relative_to_here(tokenizer),
            },
            "held_out": True,
            "samples": {**old["samples"], **counts},
            "scores": tell_scores(
                {score: drawn}, ranking, gates_by=score, auto=False, candidates=(score,), accepted=choice.goal.max_loss
            ),
            "baseline": {**old["baseline"], "accuracy": _accuracy(parts["test"])},
            "times": known_times(old),
            "exits_alone": judge_alone(list(parts.values()), [one["relative_macs"] for one in old["exits_alone"]]),
            "warnings": [text for text in old["warnings"] if not text.startswith(("no held_out", "no --held-out"))],
            "recalibrated": {
                "data": without_folders(renewal.data),
                "samples": sum(counts.values()),
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": describe_command(),
                "machine": describe_machine(),
                "versions": describe_versions(),
                "seed": renewal.seed,
                "reference": "final exit of the file",
                "final_exit_differed": apart,
                "former": {
                    **known,
                    "held_out": without_folders(old["options"]["held_out"] or old["options"]["data"]),
                    "thresholds": old["chosen"]["thresholds"],
                    "relative_macs": old["chosen"]["relative_macs"],
                    "exit_rates": old["chosen"]["exit_rates"],
                },
            },
        }
    )
    assert isinstance(result, dict)
    return result


def _accuracy(test: Evidence) -> float | None:
    return None if test.labels is None else float((test.reference == test.labels).mean())
