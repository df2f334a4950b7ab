"""How benchmarks judge: in three rounds, so that every sample is tested once, and nothing is chosen on what it judges.

One promise by score, proven and audited; one round on the clock; and what answers are worth beside the original's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp import decide, measure
from offramp.decide import Target, Turn
from offramp.graph import Graph
from offramp.measure import Costs, Evidence
from offramp.measure import torch as measure_torch
from offramp.pipeline import Engine
from offramp.pipeline.parts import Exports, Timing, time_network
from offramp.run import Samples

Row = dict[str, Any]  # Any: JSON
FIELDS = (
    *("system", "network", "data", "method", "accuracy", "agreement", "macs", "relative_macs", "latency_s", "gain_b1"),
    *("gain_b64", "efficiency_b1", "efficiency_b64", "thresholds", "exit_rates", "note"),
)


def full_row(**known: Any) -> Row:  # Any: JSON
    """A row with all columns of the common table; None where nothing is known."""
    return {**dict.fromkeys(FIELDS), "system": "ours", **known}


def rounds(samples: int, seed: int) -> tuple[Turn, Turn, Turn]:
    """The rounds of `decide.turns` in another order: round i tests the i-th third."""
    last, first, second = decide.turns(samples, seed=seed)
    return first, second, last


def compare(answers: NDArray[np.int64], reference: NDArray[np.int64], labels: NDArray[np.int64]) -> Row:
    """What answers are worth, and how far they are from the original network's, sample by sample."""
    right, before = answers == labels, reference == labels
    return {
        "agreement": float(np.mean(answers == reference)), "accuracy": float(np.mean(right)),
        **differ(right.astype(float) - before),
    }  # fmt: skip


def differ(difference: NDArray[np.float64]) -> Row:
    """Mean difference [S], and its 95 % interval."""
    return {"difference": float(difference.mean()), "interval": list(decide.mean_interval(difference))}


def rotated_row(evidence: Evidence, costs: Costs, score: str, target: Target, seed: int) -> Row:
    """What a promise makes of all samples, and whether it holds if calibration sets are drawn again and again."""
    found = decide.rotate(evidence, costs, score=score, target=target, seed=seed)
    checked = decide.audit(evidence, costs, score=score, target=target, draws=200, seed=seed)
    low, high = found.accuracy_interval or (float("nan"), float("nan"))
    certified = sum(bool(one.guarantee and one.guarantee.status == "certified") for one in found.decisions)
    return full_row(
        accuracy=found.accuracy, agreement=found.agreement,
        macs=found.relative_macs * costs.expect("macs").baseline, relative_macs=found.relative_macs,
        exit_rates=list(found.exit_rates),
        note=(
            f"certified in {certified} of 3 rounds; accuracy {found.accuracy_difference:+.4f} "
            f"[{low:+.4f}, {high:+.4f}] to the full network; audit: loss above {100 * target.limit:g} % in "
            f"{checked.share_exceeding:.1%} of {checked.draws} calibration sets (at most {checked.limit:.1%} is "
            f"honest), mean relative MACs {checked.relative_macs:.3f}"
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTheClock:
    """A gated network whose one round is timed.

    Attributes:
        graph: Gated by the score.
        score: Name of the score that its gates compare.
        evidence: Of all samples.
        samples: All samples.
        work: Folder for files.
        name: Of the file.
    """

    graph: Graph
    score: str
    evidence: Evidence
    samples: Samples
    work: Path
    name: str

    def row(self, engine: Engine, target: Target, seed: int) -> Row:
        """One round: thresholds of its tune and calibrate parts, times on its test part."""
        turn, *_ = decide.turns(len(self.samples), seed=seed)
        tune, calibrate, test = (self.evidence.subset(part) for part in (turn.tune, turn.calibrate, turn.test))
        costs = measure_torch.path_costs(self.graph)
        decision = decide.thresholds(
            measure.frontier(tune, costs, score=self.score), calibrate, max_loss=target.limit,
            confidence=target.confidence, kind=target.kind_with(labels=self.evidence.labels is not None),
        )  # fmt: skip
        point = measure.operate(test, costs, decision.thresholds, score=self.score)
        exports = Exports(self.work)
        times = time_network(
            self.graph, save(exports, self.graph, self.work / f"{self.name}.onnx", decision.thresholds), evidence=test,
            thresholds=decision.thresholds, test=self.samples.subset(turn.test), score=self.score, engine=engine,
            exports=exports, seed=seed,
        )  # fmt: skip
        status = decision.guarantee.status if decision.guarantee else "no promise"
        return full_row(
            accuracy=point.accuracy, agreement=point.agreement, macs=point.macs, relative_macs=point.relative_macs,
            thresholds=list(decision.thresholds), exit_rates=list(point.exit_rates), **describe_times(times),
            note=f"{status}; gain is mean by mean, interleaved",
        )  # fmt: skip


def save(exports: Exports, graph: Graph, path: Path, thresholds: Sequence[float]) -> Path:
    """The file of a graph with its thresholds in its card."""
    return exports.save(graph, path, {"thresholds": [float(value) for value in thresholds]})


def describe_times(times: Mapping[int, Timing]) -> Row:
    """Seconds by batch size, gains and efficiencies."""
    seconds = {
        str(size): {
            "baseline": one.baseline.mean_s,
            "ours": one.ours.mean_s,
            "ideal": one.ideal_s,
            "empty": one.empty_s,
        }
        for size, one in times.items()
    }
    gains = {f"gain_b{size}": one.gain for size, one in times.items()}
    return {"latency_s": seconds, **gains, **{f"efficiency_b{size}": one.efficiency for size, one in times.items()}}


def milliseconds(times: Mapping[int, Timing]) -> Row:
    """Milliseconds, gains and efficiencies by batch size, each a column of its own."""
    known: Row = {}
    for batch, timing in times.items():
        known |= {
            f"time_ms_b{batch}": 1e3 * timing.ours.mean_s, f"baseline_ms_b{batch}": 1e3 * timing.baseline.mean_s,
            f"empty_ms_b{batch}": 1e3 * timing.empty_s, f"gain_b{batch}": timing.gain,
            f"efficiency_b{batch}": timing.efficiency,
        }  # fmt: skip
    return known
