"""`offramp check`: are new samples still those that the promise was made for? Never loads PyTorch.

Shape letters: E exits with the final one, S samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp import data, decide, report
from offramp.decide import Drift, DriftTest, GuaranteeCheck, Target, Verdict
from offramp.measure import Costs, Evidence, evidence_by_passes, operate
from offramp.run import Samples, stream
from offramp.store._file import open_file
from offramp.store._machine import describe_command, describe_machine, describe_versions

from ._predict import BATCH, known_tokenizer, open_runtime, open_samples
from ._ranges import check_ranges
from ._result import clean
from ._samples import drop_repeats
from ._screen import Screen
from ._sweep import Run, check_exits, open_run

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
    folder: Path, reference: str, screen: Screen, *, question: Question, threads: int = 1, tokenizer: str | None = None
) -> dict[str, Any]:  # Any: JSON
    """Compare new samples with the calibration samples of a run, and the loss on some of them with the promise.

    Args:
        folder: Of the run; nothing is written there.
        reference: To new samples; labels are not needed.
        screen: Where progress and warnings go.
        question: How many samples, and how sure to be.
        threads: CPU threads of the engine.
        tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.

    Raises:
        DataError: The folder holds no result or no early exit, or the samples do not fit.
        OfframpError: The network cannot be checked so.
    """
    run = open_run(folder)
    check_exits(run)
    runtime = open_runtime(folder, engine=None, threads=threads)
    samples = open_samples(reference, runtime, tokenizer=tokenizer or known_tokenizer(folder), warn=screen.warn)
    contents = data.fingerprint(samples, meter=screen.progress)
    samples, contents = drop_repeats(samples, contents, reference, screen)
    warn_of_known(run, samples, contents, screen)
    watch = watch_for(run, question)
    limits = np.asarray(run.result["chosen"]["thresholds"], np.float32)
    with screen.step(f"exit rates of {len(samples)} samples"):
        answered = stream(runtime, samples, batch=BATCH, thresholds=limits)
        taken = np.concatenate([part.answer.exit for part in answered])
    some = np.random.default_rng(question.seed).permutation(len(samples))[: question.samples]
    with screen.step(f"{len(some)} samples to the end"):
        seen = evidence_by_passes(runtime, samples.subset(some), batch=BATCH)
    score = run.result["score"]
    drift = decide.drift(run.parts["calibrate"], seen, limits.tolist(), score=score, taken=taken, test=watch)
    found = {
        "folder": str(folder),
        "data": reference,
        "command": describe_command(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "engine": runtime.engine,
        "precision": runtime.precision,
        "seed": question.seed,
        "score": score,
        "thresholds": limits.tolist(),
        **describe_drift(drift, run.costs),
        "accuracy": _accuracy(run, seen),
        "warnings": list(screen.warnings),
    }
    cleaned = clean(found)
    assert isinstance(cleaned, dict)
    return cleaned


def check_out(out: Path) -> None:
    """Refuse a file whose ending says neither JSON nor a picture, before any work is done.

    Raises:
        OptionError: So it is.
    """
    if out.suffix != ".json":
        report.check_picture(out)


def write_found(found: Mapping[str, Any], out: Path) -> None:  # Any: JSON
    """Write what was found as JSON or as a picture, as the ending says.

    Raises:
        OutputError: The file cannot be written.
    """
    if out.suffix == ".json":
        content = json.dumps(found, indent=1, allow_nan=False).encode("utf-8")
    else:
        with TemporaryDirectory() as scratch:
            picture = Path(scratch) / f"picture{out.suffix}"
            report.draw_drift(found, picture)
            content = picture.read_bytes()
    with open_file(out) as file:
        file.write(content)


def watch_for(run: Run, question: Question) -> DriftTest:
    """What the folder promises, and how sure to be.

    Raises:
        OptionError: A share is not between 0 and 1.
    """
    told = run.result["guarantee"]
    promise = None
    if told is not None and told["status"] == "certified":
        promise = Target(max_loss=told["max_loss"], confidence=told["confidence"], kind=told["kind"])
    usual = 0.95 if promise is None else promise.confidence
    confidence = usual if question.confidence is None else question.confidence
    return DriftTest(target=promise, confidence=confidence, alpha=question.alpha, seed=question.seed)


def warn_of_known(run: Run, samples: Samples, contents: NDArray[np.uint64], screen: Screen) -> None:
    """Say so if samples are among those that thresholds were chosen on, under whatever name.

    Evidence of older runs does not keep what its samples hold; then equal names are told.
    """
    before = [run.parts[name] for name in ("tune", "calibrate")]
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


def describe_drift(drift: Drift, costs: Costs) -> dict[str, Any]:  # Any: JSON
    """What was found, as JSON, with a sentence for each of its two questions."""
    shift, standing = drift.shift, drift.guarantee
    final = len(shift.rates) - 1
    return {
        "alarm": drift.alarm,
        "shifted": shift.found,
        "p_value": shift.p_value,
        "exits_p": shift.exits_p,
        "alpha": shift.alpha,
        "samples": {"new": shift.samples, "to_the_end": standing.samples, "expected": shift.expected_samples},
        "exits": [
            {
                "name": "final" if at == final else f"exit {at}",
                "expected_rate": shift.expected_rates[at],
                "rate": shift.rates[at],
                "scores_p": None if at == final else shift.scores_p[at],
            }
            for at in range(final + 1)
        ],
        "relative_macs": {
            "expected": float(np.dot(shift.expected_rates, costs.relative)),
            "new": float(np.dot(shift.rates, costs.relative)),
        },
        "loss": {
            "kind": standing.kind,
            "promised_kind": None if standing.promised is None else standing.promised[0],
            "max_loss": None if standing.promised is None else standing.promised[1],
            "mean": standing.loss,
            "interval": list(standing.interval),
            "confidence": standing.confidence,
            "final_exit_differs": standing.apart,
            "verdict": standing.verdict.name.lower(),
            "needed": standing.needed,
            "remedy": standing.remedy,
        },
        "verdict": [_tell_shift(drift), _tell_standing(standing)],
    }


def _tell_shift(drift: Drift) -> str:
    shift = drift.shift
    if not shift.found:
        return "The new samples look like the calibration samples."
    change = f"exit rates change by up to {100 * shift.change:.1f} points" if shift.change >= 5e-4 else "scores do"
    told = f"The new samples look different: {change}."
    if drift.guarantee.verdict is Verdict.STANDS:
        return f"{told} The promise was proven again on them nevertheless."
    return told


def _tell_standing(standing: GuaranteeCheck) -> str:
    if standing.promised is None:
        return f"Nothing was promised: {standing.remedy}."
    kind, accepted = standing.promised
    promise = f"at most {100 * accepted:g} % {report.LOSSES[kind]}"
    stand_in = " (without labels, answers that change were counted: never fewer)" if standing.is_stand_in else ""
    if standing.verdict is Verdict.STANDS:
        return f"The promise stands: {promise}{stand_in}."
    if standing.verdict is Verdict.BROKEN:
        return f"The promise is broken: {promise}, but here more. To repair it, {standing.remedy}."
    return f"The promise ({promise}) is neither refuted nor proven again{stand_in}: {standing.remedy}."


def _accuracy(run: Run, seen: Evidence) -> Mapping[str, float | None] | None:
    """Of the samples that were run to the end, if they have labels."""
    if seen.labels is None:
        return None
    ours = operate(seen, run.costs, run.result["chosen"]["thresholds"], run.result["score"])
    return {"ours": ours.accuracy, "final": float((seen.reference == seen.labels).mean())}
