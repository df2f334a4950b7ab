"""Does `offramp check` raise the alarm when pictures change, and keep quiet when they do not?

Run: python benchmarks/drift.py --folder out/resnet56 --data npz:cifar10.npz@test
(writes benchmarks/results/drift.json and a picture beside it).

Samples that the folder's thresholds were chosen on are left out; the others are checked as they are (fresh clean
splits) and under three changes in five severities, those of CIFAR-10-C (Hendrycks and Dietterich, "Benchmarking
neural network robustness to common corruptions and perturbations", ICLR 2019): Gaussian noise, Gaussian blur, less
contrast. Each check sees --samples of them, drawn at random; the share of the checks that raise the alarm is over
--draws such draws.
Clean draws come in two kinds: against the folder's own calibration samples, as a user meets it, where one odd set
of calibration samples counts in every draw; and with these drawn anew from all samples too, where the error bound is
promised.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _results import RESULTS, write_rows
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

import offramp
from offramp import Run, Target, decide
from offramp.decide import DriftTest, Verdict
from offramp.measure import Evidence, evidence_by_passes, exits_taken
from offramp.run import ArraySamples, Samples

Pictures = NDArray[np.float32]  # [S, C, H, W] in [0, 1]


def _noise(x: Pictures, severity: int, random: np.random.Generator) -> Pictures:
    return x + random.normal(scale=(0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1], size=x.shape).astype(np.float32)


def _blur(x: Pictures, severity: int, random: np.random.Generator) -> Pictures:
    sigma = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]
    return np.asarray(gaussian_filter(x, sigma, axes=(2, 3), mode="nearest"), np.float32)


def _contrast(x: Pictures, severity: int, random: np.random.Generator) -> Pictures:
    mean = x.mean(axis=(2, 3), keepdims=True)
    return np.asarray((x - mean) * np.float32((0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1]) + mean, np.float32)


CHANGES: dict[str, Callable[[Pictures, int, np.random.Generator], Pictures]] = {
    "Gaussian noise": _noise,
    "Gaussian blur": _blur,
    "less contrast": _contrast,
}


def _change(samples: Samples, name: str, severity: int, seed: int) -> ArraySamples:
    taken = samples.take(slice(None))
    (key, pictures) = next(iter(taken.items()))
    if pictures.ndim != 4:
        raise SystemExit("drift.py changes pictures, but the network of this folder reads something else.")
    changed = CHANGES[name](pictures, severity, np.random.default_rng(seed))
    inputs = {**taken, key: np.clip(changed, 0, 1, dtype=np.float32)}
    return ArraySamples(inputs=inputs, ids=samples.ids, labels=samples.labels)


def _shares(run: Run, draws: list[tuple[Evidence, Evidence]], watch: DriftTest) -> dict[str, float]:
    """How many checks raise the alarm, and by what."""
    limits, score = run.record.chosen.thresholds, run.record.score
    found = [decide.drift(old, new, limits, score=score, test=watch) for old, new in draws]
    return {
        "alarm_share": float(np.mean([one.alarm for one in found])),
        "shifted_share": float(np.mean([one.shift.found for one in found])),
        "broken_share": float(np.mean([one.guarantee.verdict is Verdict.BROKEN for one in found])),
        "stands_share": float(np.mean([one.guarantee.verdict is Verdict.STANDS for one in found])),
    }


def _draw(seen: Evidence, count: int, draws: int, random: np.random.Generator) -> list[Evidence]:
    return [seen.subset(random.permutation(len(seen))[:count]) for _ in range(draws)]


def _row(run: Run, seen: Evidence, watch: DriftTest, shares: dict[str, float], **known: Any) -> dict[str, Any]:
    """The shares, and what all samples of this kind say at once."""
    limits, score = run.record.chosen.thresholds, run.record.score
    losses = decide.find_losses(seen, limits, score, "agreement")
    rates = np.bincount(exits_taken(seen, limits, score), minlength=seen.exits) / len(seen)
    accuracy = None if seen.labels is None else float(np.mean(seen.reference == seen.labels))
    row = {
        **known, **shares, "samples": len(seen), "disagreement": float(losses.mean()),
        "interval": decide.loss_interval(losses, "agreement", confidence=watch.confidence),
        "exit_rates": rates.tolist(), "accuracy_of_final_exit": accuracy,
    }  # fmt: skip
    print(json.dumps(row), flush=True)
    return row


def _only(evidence: Evidence, score: str) -> Evidence:
    """With the one score that the file computes, and its own final exit as reference."""
    return Evidence(
        ids=evidence.ids, predictions=evidence.predictions, scores={score: evidence.scores[score]},
        gates={score: evidence.gates[score]}, reference=evidence.predictions[:, -1],
    )  # fmt: skip


def _join(one: Evidence, two: Evidence, score: str) -> Evidence:
    return Evidence(
        ids=np.concatenate([one.ids, two.ids]),
        predictions=np.concatenate([one.predictions, two.predictions]),
        scores={score: np.concatenate([one.scores[score], two.scores[score]])},
        gates=one.gates,
        reference=np.concatenate([one.reference, two.reference]),
    )


def _test_for(run: Run, options: argparse.Namespace) -> DriftTest:
    """The question of `offramp check`: is what the run promises still true?"""
    told = run.guarantee
    if told is None or told.status != "certified":
        return DriftTest(alpha=options.alpha, seed=options.seed)
    promise = Target(max_loss=told.max_loss, confidence=told.confidence, kind=told.kind)
    return DriftTest(target=promise, confidence=told.confidence, alpha=options.alpha, seed=options.seed)


def _rows(options: argparse.Namespace) -> tuple[list[dict[str, Any]], DriftTest]:
    run = offramp.load(options.folder)
    runtime = run.runtime(threads=options.threads)
    samples = run.read(options.data)
    used = np.concatenate([run.evidence["tune"].ids, run.evidence["calibrate"].ids])
    fresh = np.flatnonzero(~np.isin(samples.ids, used))
    random = np.random.default_rng(options.seed)
    watch = _test_for(run, options)
    score = run.record.score
    calibrate = _only(run.evidence["calibrate"], score)
    clean = samples.subset(fresh)
    seen = evidence_by_passes(runtime, clean)
    count = min(options.samples, len(seen) // 2)
    limit = float(binom.ppf(0.99, options.draws, options.alpha) / options.draws)
    known = {"per_check": count, "draws": options.draws}
    print(
        f"{len(seen)} samples that nothing was chosen on, {count} per check; clean alarms up to {limit:.3f} are honest"
    )
    own = [(calibrate, new) for new in _draw(seen, count, options.draws, random)]
    everything = _join(calibrate, _only(seen, score), score)
    orders = [random.permutation(len(everything)) for _ in range(options.draws)]
    cut = len(everything) - count
    both = [(everything.subset(order[:cut]), everything.subset(order[cut:])) for order in orders]
    rows = [
        _row(
            run,
            seen,
            watch,
            _shares(run, draws, watch),
            change=f"none, {kind}",
            severity=0,
            honest_up_to=limit,
            **known,
        )
        for kind, draws in (("the folder's calibration samples", own), ("calibration samples drawn anew", both))
    ]
    some = clean.subset(random.permutation(len(clean))[: options.changed])
    for name in CHANGES:
        for severity in range(1, 6):
            changed = evidence_by_passes(runtime, _change(some, name, severity, options.seed))
            few = min(count, len(changed) // 2)
            draws = [(calibrate, new) for new in _draw(changed, few, options.draws, random)]
            shares = _shares(run, draws, watch)
            rows.append(
                _row(run, changed, watch, shares, change=name, severity=severity, **{**known, "per_check": few})
            )
    return rows, watch


def _picture(rows: list[dict[str, Any]], watch: DriftTest, path: Path) -> None:
    figure = Figure(figsize=(9.6, 4), layout="constrained")
    alarms, losses = figure.subplots(1, 2)
    clean = rows[0]
    for name in CHANGES:
        line = [clean, *(row for row in rows if row["change"] == name)]
        severity = [row["severity"] for row in line]
        alarms.plot(severity, [100 * row["alarm_share"] for row in line], "o-", label=name)
        mean = np.array([row["disagreement"] for row in line])
        low, high = np.array([row["interval"] for row in line]).T
        losses.errorbar(
            severity, 100 * mean, 100 * np.stack([mean - low, high - mean]), fmt="o-", capsize=3, label=name
        )
    alarms.set(xlabel="severity (0: clean)", ylabel=f"checks of {clean['per_check']} samples with an alarm, %")
    losses.set(xlabel="severity (0: clean)", ylabel="answers that differ from the final exit's, %")
    if watch.target is not None:
        losses.axhline(100 * watch.target.limit, color="gray", linestyle=":", label="promised")
    for axes in (alarms, losses):
        axes.set_ylim(bottom=0)
        axes.legend()
    figure.savefig(path, dpi=130)


def main() -> None:
    """Parse options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, help="what `offramp optimize` wrote")
    parser.add_argument("--data", required=True, help="pictures of the kind that the folder was made for")
    parser.add_argument("--samples", type=int, default=1000, help="per check")
    parser.add_argument("--changed", type=int, default=2000, help="samples that are changed, at each severity")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--alpha", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=str(RESULTS / "drift.json"))
    options = parser.parse_args()
    rows, watch = _rows(options)
    out = Path(options.out)
    write_rows(out, [{"alpha": options.alpha, **row} for row in rows], seed=options.seed)
    _picture(rows, watch, out.with_suffix(".png"))


if __name__ == "__main__":
    main()
