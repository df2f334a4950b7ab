"""`offramp check`: are new samples still those that the promise was made for? Never loads PyTorch.

Shape letters: E exits with the final one, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from offramp import data, decide, report
from offramp.data import Given
from offramp.decide import Drift, DriftTest, Target
from offramp.measure import Costs, Evidence, evidence_by_passes, operate
from offramp.run import Runtime, Samples, stream
from offramp.store._file import open_file
from offramp.store._machine import describe_command, describe_machine, describe_versions
from offramp.store.record import (
    CheckedAccuracyRecord,
    CheckedExitRecord,
    CheckedLossRecord,
    CheckedSamplesRecord,
    CheckedWorkRecord,
    CheckRecord,
    MachineRecord,
    to_json,
)

from ._opened import Opened, check_exits
from ._predict import BATCH, name_of, open_runtime, open_samples
from ._ranges import check_ranges
from ._samples import drop_repeats
from ._screen import Screen

USUAL = 2000  # samples that are run to the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a check.

    Attributes:
        samples: How many to run to the end.
        confidence: Of the limits of the loss; that of the promise if None.
        alpha: How rarely samples like the expected ones may raise the alarm.
        seed: Of what is run to the end.
    """

    samples: int = USUAL
    confidence: float | None = None
    alpha: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        check_ranges(samples=self.samples, confidence=self.confidence, alpha=self.alpha, seed=self.seed)


def check(
    opened: Opened, given: Given, screen: Screen, *, question: Question, threads: int = 1, tokenizer: str | None = None
) -> CheckRecord:
    """Compare new samples with the calibration samples of a run, and the loss on some of them with the promise.

    Args:
        opened: The run; nothing is written in its folder.
        given: New samples, or a reference to them; labels are not needed.
        screen: Where progress and warnings go.
        question: How many samples, and how sure to be.
        threads: CPU threads of the engine.
        tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.

    Raises:
        DataError: There is no early exit, or the samples do not fit.
        OfframpError: The network cannot be checked so.
    """
    check_exits(opened)
    runtime = open_runtime(opened.folder, engine=None, threads=threads)
    samples = open_samples(given, runtime, tokenizer=tokenizer or opened.record.options.tokenizer, warn=screen.warn)
    contents = data.fingerprint(samples, meter=screen.progress)
    samples, contents = drop_repeats(samples, contents, name_of(given) or "the samples", screen)
    warn_of_known(opened, samples, contents, screen)
    drift, seen = _compare(opened, runtime, samples, question, screen)
    return _record_check(opened, runtime, name_of(given), question, drift, seen, screen)


def _compare(
    opened: Opened, runtime: Runtime, samples: Samples, question: Question, screen: Screen
) -> tuple[Drift, Evidence]:
    """What the samples tell, and the evidence of those that were run to the end."""
    watch = watch_for(opened, question)
    limits = np.asarray(opened.record.chosen.thresholds, np.float32)
    with screen.step(f"exit rates of {len(samples)} samples"):
        answered = stream(runtime, samples, batch=BATCH, thresholds=limits)
        taken = np.concatenate([part.answer.exit for part in answered])
    some = np.random.default_rng(question.seed).permutation(len(samples))[: question.samples]
    with screen.step(f"{len(some)} samples to the end"):
        seen = evidence_by_passes(runtime, samples.subset(some), batch=BATCH)
    calibrate, score = opened.parts["calibrate"], opened.record.score
    return decide.drift(calibrate, seen, limits.tolist(), score=score, taken=taken, test=watch), seen


def _record_check(  # noqa: PLR0913  (everything that is recorded of one check)
    opened: Opened, runtime: Runtime, reference: str | None, question: Question, drift: Drift, seen: Evidence,
    screen: Screen,
) -> CheckRecord:  # fmt: skip
    shift = drift.shift
    found = CheckRecord(
        folder=str(opened.folder),
        data=reference,
        command=describe_command(),
        machine=MachineRecord.model_validate(describe_machine()),
        versions=describe_versions(),
        engine=runtime.engine,
        precision=runtime.precision,
        seed=question.seed,
        score=opened.record.score,
        thresholds=tuple(np.asarray(opened.record.chosen.thresholds, np.float32).tolist()),
        alarm=drift.alarm,
        shifted=shift.found,
        p_value=shift.p_value,
        exits_p=shift.exits_p,
        alpha=shift.alpha,
        change=shift.change,
        samples=CheckedSamplesRecord(
            new=shift.samples, to_the_end=drift.guarantee.samples, expected=shift.expected_samples
        ),
        exits=_record_exits(drift),
        relative_macs=_record_work(drift, opened.costs),
        loss=_record_loss(drift),
        accuracy=_record_accuracy(opened, seen),
        warnings=tuple(screen.warnings),
    )
    return found.model_copy(update={"verdict": report.judge_check(found)})


def check_out(out: Path) -> None:
    """Refuse a file whose ending says neither JSON nor a picture, before any work is done.

    Raises:
        OptionError: So it is.
    """
    if out.suffix != ".json":
        report.check_picture(out)


def write_found(found: CheckRecord, out: Path) -> None:
    """Write what was found as JSON or as a picture, as the ending says.

    Raises:
        OutputError: The file cannot be written.
    """
    if out.suffix == ".json":
        content = to_json(found).encode("utf-8")
    else:
        with TemporaryDirectory() as scratch:
            picture = Path(scratch) / f"picture{out.suffix}"
            report.draw_drift(found, picture)
            content = picture.read_bytes()
    with open_file(out) as file:
        file.write(content)


def watch_for(opened: Opened, question: Question) -> DriftTest:
    """What the folder promises, and how sure to be.

    Raises:
        OptionError: A share is not between 0 and 1.
    """
    told = opened.record.guarantee
    promise = None
    if told is not None and told.status == "certified":
        promise = Target(max_loss=told.max_loss, confidence=told.confidence, kind=told.kind)
    usual = 0.95 if promise is None else promise.confidence
    confidence = usual if question.confidence is None else question.confidence
    return DriftTest(target=promise, confidence=confidence, alpha=question.alpha, seed=question.seed)


def warn_of_known(opened: Opened, samples: Samples, contents: NDArray[np.uint64], screen: Screen) -> None:
    """Say so if samples are among those that thresholds were chosen on, under whatever name.

    Evidence of older runs does not keep what its samples hold; then equal names are told.
    """
    before = [opened.parts[name] for name in ("tune", "calibrate")]
    kept = [one.contents for one in before if one.contents is not None]
    if len(kept) == len(before):
        known = int(np.isin(contents, np.concatenate(kept)).sum())
        what = "are those that the thresholds were chosen on: they look better than new ones would."
    else:
        known = len(np.intersect1d(samples.ids, np.concatenate([one.ids for one in before])))
        what = (
            "have names of those that the thresholds were chosen on: if they are the same, they look better than new "
            "ones would."
        )
    if known:
        screen.warn(f"{known} of {len(samples)} samples {what}")


def _record_exits(drift: Drift) -> tuple[CheckedExitRecord, ...]:
    shift = drift.shift
    final = len(shift.rates) - 1
    return tuple(
        CheckedExitRecord(
            name="final" if at == final else f"exit {at}",
            expected_rate=shift.expected_rates[at],
            rate=shift.rates[at],
            scores_p=None if at == final else shift.scores_p[at],
        )
        for at in range(final + 1)
    )


def _record_work(drift: Drift, costs: Costs) -> CheckedWorkRecord:
    return CheckedWorkRecord(
        expected=float(np.dot(drift.shift.expected_rates, costs.relative)),
        new=float(np.dot(drift.shift.rates, costs.relative)),
    )


def _record_loss(drift: Drift) -> CheckedLossRecord:
    standing = drift.guarantee
    kind, limit = standing.promised or (None, None)
    return CheckedLossRecord(
        kind=standing.kind,
        promised_kind=kind,
        max_loss=limit,
        mean=standing.loss,
        interval=standing.interval,
        confidence=standing.confidence,
        final_exit_differs=standing.apart,
        is_stand_in=standing.is_stand_in,
        verdict=standing.verdict.name.lower(),
        needed=standing.needed,
        remedy=standing.remedy,
    )


def _record_accuracy(opened: Opened, seen: Evidence) -> CheckedAccuracyRecord | None:
    """Of the samples that were run to the end, if they have labels."""
    if seen.labels is None:
        return None
    ours = operate(seen, opened.costs, opened.record.chosen.thresholds, opened.record.score)
    return CheckedAccuracyRecord(ours=ours.accuracy, final=float((seen.reference == seen.labels).mean()))
