"""The public CIFAR-10 ResNets, frozen, exits trained without labels: what one percent of changed answers buys.

Run: python benchmarks/first.py --data npz:cifar10.npz --weights FOLDER [--networks resnet20 resnet56] [--epochs E]
(writes benchmarks/results/first.json and the frontier's picture beside it; --work keeps checkpoints).

The test images of CIFAR-10 are divided at random into tune, calibrate and test. Accuracy, agreement and MACs are the
mean over three rotations of the parts, each image being test once in a round whose tune and calibrate parts it is not
in. Times are from one round, on its test part, in its natural mix. No label is read in training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _cpu import PRECISION
from _stamp import stamp
from matplotlib.figure import Figure

from offramp import attach, data, decide, learn, measure, transform, zoo
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure import Costs, Evidence
from offramp.measure import torch as measure_torch
from offramp.nn import Normalize
from offramp.pipeline._chain import gates_by_score
from offramp.pipeline._clock import time_network
from offramp.pipeline._engine import Engine
from offramp.pipeline._exports import Exports

HERE = Path(__file__).parent
WEIGHTS = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}
# Where exits pay on the clock, not only in MACs. Of ten trained candidates of resnet56 these three cost least on the
# tuning third of seed 0, stages and heads charged by their measured time; that round's test part is none of it.
EXITS: dict[str, list[str | int]] = {
    "resnet20": ["layer1.2", "layer2.2"],
    "resnet56": ["layer1.4", "layer2.0", "layer3.4"],
}
EPOCHS = {"resnet20": 8, "resnet56": 12}
SCORES = ("max_probability", "entropy", "margin", "confidence")
PROMISE = decide.Target(max_loss=0.01, confidence=0.95, kind="agreement")
FIELDS = (
    *("system", "network", "data", "method", "accuracy", "agreement", "macs", "relative_macs", "latency_s", "gain_b1"),
    *("gain_b64", "efficiency_b1", "efficiency_b64", "thresholds", "exit_rates", "note"),
)


def _row(**known: Any) -> dict[str, Any]:  # Any: JSON
    return {**dict.fromkeys(FIELDS), "system": "ours", "data": "CIFAR-10, 9,980 test images", **known}


def _train(name: str, options: argparse.Namespace, work: Path) -> Graph:
    loaded = zoo.load_model(f"zoo:{name}", weights=Path(options.weights) / WEIGHTS[name])
    assert loaded.mean is not None, "the zoo knows it"
    assert loaded.std is not None, "the zoo knows it"
    graph = attach.exits(
        loaded.module, loaded.example, placement=EXITS[name], head="light", scores=SCORES,
        normalize=Normalize(loaded.mean, loaded.std),
    )  # fmt: skip
    settings = learn.DistillSettings(
        epochs=options.epochs or EPOCHS[name], precision=options.precision, seed=options.seed
    )
    samples = data.load(f"{options.data}@train")
    return learn.distill_heads(graph, samples, settings, checkpoint=work / f"{name}.ckpt", resume=True)


def _collect(name: str, graph: Graph, engine: Engine, options: argparse.Namespace, work: Path) -> Evidence:
    dense = engine.load_dense(onnx.save(graph, work / f"{name}.dense.onnx", dense=True))
    return measure.evidence(dense, data.load(f"{options.data}@test"), gates=gates_by_score(graph))


def _rows(name: str, options: argparse.Namespace, work: Path, drawn: dict[str, Any]) -> list[dict[str, Any]]:
    engine = Engine(name="openvino", threads=1)
    graph = _train(name, options, work)
    evidence = _collect(name, graph, Engine(name="openvino", threads=2), options, work)
    costs = measure_torch.path_costs(graph)
    assert evidence.labels is not None, "CIFAR-10 has labels"
    full = float(np.mean(evidence.predictions[:, -1] == evidence.labels))
    macs = costs.baseline_macs
    rows = [_row(network=name, method="full network", accuracy=full, agreement=1.0, macs=macs, relative_macs=1.0)]
    for score in SCORES:
        rows.append(_rotated(name, evidence, costs, score, options))
        print(json.dumps(rows[-1]), flush=True)
    rows += _timed(name, transform.gate_by(graph, options.score), evidence, engine=engine, options=options, work=work)
    drawn[name] = (evidence, costs)
    return rows


def _rotated(name: str, evidence: Evidence, costs: Costs, score: str, options: argparse.Namespace) -> dict[str, Any]:
    found = decide.rotate(evidence, costs, score=score, promise=PROMISE, seed=options.seed)
    checked = decide.audit(evidence, costs, score=score, promise=PROMISE, draws=200, seed=options.seed)
    low, high = found.accuracy_interval or (float("nan"), float("nan"))
    promises = [decision.guarantee for decision in found.decisions]
    certified = sum(bool(promise and promise.status == "certified") for promise in promises)
    return _row(
        network=name,
        method=f"{len(EXITS[name])} light exits, {score}, 99 % agreement promised at 95 %, rotated",
        accuracy=found.accuracy,
        agreement=found.agreement,
        macs=found.relative_macs * costs.baseline_macs,
        relative_macs=found.relative_macs,
        exit_rates=[float(rate) for rate in found.exit_rates],
        note=(
            f"certified in {certified} of 3 rounds; accuracy {found.accuracy_difference:+.4f} "
            f"[{low:+.4f}, {high:+.4f}] to the full network; audit: loss above 1 % in {checked.share_exceeding:.1%} of "
            f"{checked.draws} calibration sets (at most {checked.limit:.1%} is honest), "
            f"mean relative MACs {checked.relative_macs:.3f}"
        ),
    )


def _timed(
    name: str, graph: Graph, evidence: Evidence, *, engine: Engine, options: argparse.Namespace, work: Path
) -> list[dict[str, Any]]:
    """One round: thresholds of its tune and calibrate parts, times on its test part."""
    samples = data.load(f"{options.data}@test")
    order = np.random.default_rng(options.seed).permutation(len(samples))
    tune, calibrate, test = (evidence.subset(part) for part in np.array_split(order, 3))
    costs = measure_torch.path_costs(graph)
    frontier = measure.frontier(tune, costs, score=options.score)
    decision = decide.thresholds(frontier, calibrate, max_loss=0.01, confidence=0.95, kind="agreement")
    point = measure.operate(test, costs, decision.thresholds, score=options.score)
    card = {"thresholds": [float(value) for value in decision.thresholds]}
    exports = Exports(work)
    model = exports.save(graph, work / f"{name}.onnx", card)
    times = time_network(
        graph, model, test=samples.subset(np.array_split(order, 3)[2]), evidence=test, thresholds=decision.thresholds,
        score=options.score, engine=engine, exports=exports, seed=options.seed,
    )  # fmt: skip
    latency = {
        str(size): {
            "baseline": timing.baseline.mean_s,
            "ours": timing.ours.mean_s,
            "ideal": timing.ideal_s,
            "empty": timing.empty_s,
        }
        for size, timing in times.items()
    }
    row = _row(
        network=name,
        method=f"{len(EXITS[name])} light exits, {options.score}, one round, timed on OpenVINO f32, 1 thread",
        accuracy=point.accuracy, agreement=point.agreement, macs=point.macs, relative_macs=point.relative_macs,
        latency_s=latency, gain_b1=times[1].gain, gain_b64=times[64].gain, efficiency_b1=times[1].efficiency,
        efficiency_b64=times[64].efficiency, thresholds=list(decision.thresholds), exit_rates=list(point.exit_rates),
        note=f"{decision.guarantee.status if decision.guarantee else 'no promise'}; gain is mean by mean, interleaved",
    )  # fmt: skip
    print(json.dumps(row), flush=True)
    return [row]


def _draw(drawn: dict[str, Any], path: Path) -> None:
    """Agreement over relative MACs, one panel per network, one line per score; drawn on all test images."""
    figure = Figure(figsize=(5.2 * len(drawn), 4.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(drawn)))
    for axes, (name, (evidence, costs)) in zip(panels, drawn.items(), strict=True):
        for score in SCORES:
            points = measure.frontier(evidence, costs, score=score).points
            macs = [point.relative_macs for point in points]
            axes.plot(macs, [100 * point.agreement for point in points], label=score)
        axes.axhline(99, color="gray", linewidth=0.8, linestyle=":")
        axes.set(title=name, xlabel="relative MACs, heads and gates charged", ylabel="agreement, %", ylim=(90, 100.1))
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Parse options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--networks", nargs="+", default=list(WEIGHTS), choices=list(WEIGHTS))
    parser.add_argument("--epochs", type=int, help="default: 8 for resnet20, 12 for resnet56")
    parser.add_argument("--precision", default=PRECISION, choices=["float32", "bfloat16"])
    parser.add_argument("--score", default="max_probability", choices=SCORES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work")
    parser.add_argument("--out", default=str(HERE / "results" / "first.json"))
    options = parser.parse_args()
    drawn: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(options.work or scratch)
        work.mkdir(parents=True, exist_ok=True)
        rows = [row for name in options.networks for row in _rows(name, options, work, drawn)]
    page = {
        **stamp(options.seed), "rows": rows,
    }  # fmt: skip
    out = Path(options.out)
    out.write_text(json.dumps(page, indent=1) + "\n")
    _draw(drawn, out.with_suffix(".png"))


if __name__ == "__main__":
    main()
