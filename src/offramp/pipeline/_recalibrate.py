"""`offramp recalibrate`: thresholds for samples that changed; trains nothing, never loads PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from offramp import data, decide
from offramp.data import Given
from offramp.decide import Target
from offramp.errors import DataError
from offramp.measure import Evidence, evidence_by_passes
from offramp.run import Runtime, Samples
from offramp.store._folder import check_out
from offramp.store._machine import (
    describe_command,
    describe_machine,
    describe_versions,
    relative_to_here,
    without_folders,
)
from offramp.store.record import FormerRecord, MachineRecord, RecalibratedRecord, RunRecord

from ._apply import apply_choice
from ._choice import Choice, pick
from ._opened import PARTS, Opened, check_exits, part
from ._predict import BATCH, name_of, open_runtime, open_samples
from ._ranges import check_ranges
from ._request import LABELLED
from ._result import accuracy_alone, judge_alone, record_scores
from ._samples import call_samples, count_once
from ._screen import Screen
from ._search import Search
from ._sweep import record_choice

SHARES = (0.3, 0.5, 0.2)  # tune, calibrate, test: most go where the promise is proven
FEWEST = 15  # samples: three to test on
PER_CLASS = 5  # samples, from which on an absent class is no chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What is asked of a recalibration.

    Attributes:
        data: New samples, or a reference to them; labels are not needed.
        goal: What to choose by; that of the folder if None. A promise without a kind is of the folder's kind.
        search: How points are looked for; as in the folder if None.
        out: Folder to write; that of the run if None.
        seed: Of the division into parts.
        threads: CPU threads of the engine.
        tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.
    """

    data: Given
    goal: Target | None = None
    search: Search | None = None
    out: Path | None = None
    seed: int = 0
    threads: int = 1
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        check_ranges(seed=self.seed, threads=self.threads)

    @property
    def needs_labels(self) -> bool:
        """Whether a promise was asked for that only labels can prove."""
        return self.goal is not None and self.goal.kind in LABELLED

    @property
    def name(self) -> str:
        """What the samples are called in a sentence."""
        return name_of(self.data) or "the samples"


def recalibrate(opened: Opened, renewal: Renewal, screen: Screen) -> RunRecord:
    """Choose thresholds anew on new samples, prove what they keep, and write the record that is returned.

    The network and its exits stay as they are. 30 % of the samples draw the frontier, 50 % prove the promise and the
    rest is reported. If nothing can be promised, the file lets nobody leave early.

    Args:
        opened: The run.
        renewal: Which samples, and what to choose by.
        screen: Where progress and warnings go.

    Raises:
        DataError: The samples are too few or do not fit, or there is no early exit.
        OfframpError: The goal cannot be met on them, or the network is no chain of early exits.
        OutputError: The folder cannot be written; then it is as it was.
    """
    if renewal.out is not None:
        check_out(renewal.out)
    check_exits(opened)
    if not isinstance(renewal.data, str):  # what is drawn at random is drawn once
        renewal = replace(renewal, data=data.as_samples(renewal.data))
    tokenizer = renewal.tokenizer or opened.record.options.tokenizer
    runtime = open_runtime(opened.folder, engine=None, threads=renewal.threads)
    samples = _read(opened, renewal, runtime, tokenizer, screen)
    (shuffled,) = data.split(samples, (1.0,), renewal.seed)
    with screen.step(f"evidence of {len(samples)} samples: {runtime.engine} {runtime.precision}"):
        seen = evidence_by_passes(runtime, shuffled, batch=BATCH)
    divided = part(seen, np.diff(np.rint(len(samples) * np.cumsum((0, *SHARES)))).astype(int).tolist())
    apart = _warn_of_the_final_exit(opened, screen)
    with screen.step("decision"):
        goal = _goal(opened, renewal, seen, screen)
        search = renewal.search or opened.search
        choice = pick(goal, search, divided, opened.costs, opened.record.score, clock=opened.clock)
    renewed = replace(opened, parts=divided)
    renewed = replace(renewed, record=_renew(renewed, renewal, choice, tokenizer=tokenizer, apart=apart))
    with screen.step("report"):
        warnings = (*renewed.record.warnings, *screen.warnings)
        renewed = replace(renewed, record=renewed.record.model_copy(update={"warnings": warnings}))
        found = record_choice(renewed, choice, search).model_copy(update={"applied": True})
        return apply_choice(renewed, found, screen, evidence=seen, to=renewal.out)


def _read(opened: Opened, renewal: Renewal, runtime: Runtime, tokenizer: str | None, screen: Screen) -> Samples:
    """The new samples, each once.

    Raises:
        DataError: They do not fit, lack labels that are needed, or are too few.
    """
    warn = None if renewal.needs_labels else screen.warn
    samples = open_samples(renewal.data, runtime, tokenizer=tokenizer, warn=warn, strict=True)
    if renewal.needs_labels and samples.labels is None:
        assert renewal.goal is not None
        raise DataError(
            f"target.kind {renewal.goal.kind} needs labels, but {renewal.name} has none. Add some, or ask for "
            "agreement.",
            about=["target.kind"],
        )
    samples = count_once(samples, renewal.name, screen)
    if len(samples) < FEWEST:
        raise DataError(
            f"choosing, proving and testing need {FEWEST} samples at least, but there are {len(samples)}. Add some."
        )
    _warn_of_absent_classes(opened, samples, screen)
    return samples


def _warn_of_absent_classes(opened: Opened, samples: Samples, screen: Screen) -> None:
    """Say so if classes are absent though there are samples enough: the promise is about samples like these."""
    if samples.labels is None:
        return
    classes, present = opened.record.model.classes, len(np.unique(samples.labels))
    if present < classes <= len(samples) / PER_CLASS:
        screen.warn(
            f"{present} of {classes} classes are among the new samples: thresholds and promise are for such samples. "
            "Give all classes that will come."
        )


def _goal(opened: Opened, renewal: Renewal, seen: Evidence, screen: Screen) -> Target:
    """What was asked for, else what the folder promised; without labels that is agreement."""
    goal, told = renewal.goal or replace(opened.goal, kind=None), opened.record.guarantee
    if goal.mode != "promise" or goal.kind is not None:
        return goal
    kind = opened.goal.kind or (None if told is None else told.kind)
    if seen.labels is None and kind not in (None, "agreement"):
        screen.warn(f"without labels {kind} cannot be promised, so agreement is: what did not change did no harm.")
        kind = "agreement"
    return replace(goal, kind=kind)


def _warn_of_the_final_exit(opened: Opened, screen: Screen) -> float:
    """How often the final exit differed from the original network, which is not here to be asked."""
    before = opened.parts["calibrate"]
    apart = float((before.predictions[:, -1] != before.reference).mean())
    if apart:
        screen.warn(
            f"the final exit differed from the original network on {100 * apart:.2f} % of the former calibration "
            "samples; what is promised now is agreement with the final exit."
        )
    return apart


def _renew(opened: Opened, renewal: Renewal, choice: Choice, *, tokenizer: str | None, apart: float) -> RunRecord:
    """The record with everything that other samples change, but for the choice itself."""
    old, parts = opened.record, opened.parts
    counts = {name: len(parts[name]) for name in PARTS}
    score, drawn = choice.frontier.score, choice.frontier
    ranking = decide.rank_scores({score: drawn}, max_loss=choice.goal.max_loss)
    reference = name_of(renewal.data)
    sources = {"held_out": reference or call_samples(data.as_samples(renewal.data)), "tokenizer": tokenizer}
    return old.model_copy(
        update={
            "options": old.options.model_copy(
                update={name: value and relative_to_here(value) for name, value in sources.items()}
            ),
            "held_out": True,
            "samples": old.samples.model_copy(update=counts),
            "scores": record_scores(
                {score: drawn}, ranking, gates_by=score, auto=False, candidates=(score,), accepted=choice.goal.max_loss
            ),
            "baseline": old.baseline.model_copy(update={"accuracy": accuracy_alone(parts["test"])}),
            "exits_alone": judge_alone(list(parts.values()), [one.relative_macs for one in old.exits_alone]),
            "warnings": tuple(text for text in old.warnings if not text.startswith(("no held_out", "no --held-out"))),
            "recalibrated": RecalibratedRecord(
                data=reference and without_folders(reference),
                samples=sum(counts.values()),
                at=datetime.now(UTC).isoformat(timespec="seconds"),
                command=describe_command(),
                machine=MachineRecord.model_validate(describe_machine()),
                versions=describe_versions(),
                seed=renewal.seed,
                reference="final exit of the file",
                final_exit_differed=apart,
                former=_former(old),
            ),
        }
    )


def _former(old: RunRecord) -> FormerRecord:
    """What the run said before."""
    return FormerRecord(
        guarantee=old.guarantee,
        samples=old.samples,
        recalibrated=old.recalibrated,
        held_out=without_folders(old.options.samples),
        thresholds=old.chosen.thresholds,
        relative_macs=old.chosen.relative_macs,
        exit_rates=old.chosen.exit_rates,
    )
