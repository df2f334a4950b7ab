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
from _protocol import OnTheClock, Row, full_row, rotated_row
from _results import RESULTS, write_rows
from matplotlib.figure import Figure

from offramp import attach, data, decide, learn, measure, transform, zoo
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure import Costs, Evidence
from offramp.measure import torch as measure_torch
from offramp.nn import Normalize
from offramp.pipeline import Engine
from offramp.pipeline.parts import gates_by_score

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


def _about(network: str, method: str) -> Row:
    return {"network": network, "method": method, "data": "CIFAR-10, 9,980 test images"}


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


def _rows(name: str, options: argparse.Namespace, work: Path, drawn: dict[str, Any]) -> list[Row]:  # Any: see _draw
    graph = _train(name, options, work)
    evidence = _collect(name, graph, Engine(name="openvino", threads=2), options, work)
    costs = measure_torch.path_costs(graph)
    assert evidence.labels is not None, "CIFAR-10 has labels"
    full = float(np.mean(evidence.predictions[:, -1] == evidence.labels))
    alone = full_row(accuracy=full, agreement=1.0, macs=costs.baseline, relative_macs=1.0)
    rows = [alone | _about(name, "full network")]
    for score in SCORES:
        rows.append(_rotated(name, evidence, costs, score, options))
        print(json.dumps(rows[-1]), flush=True)
    rows.append(_timed(name, transform.gate_by(graph, options.score), evidence, options, work))
    drawn[name] = (evidence, costs)
    return rows


def _rotated(name: str, evidence: Evidence, costs: Costs, score: str, options: argparse.Namespace) -> Row:
    method = f"{len(EXITS[name])} light exits, {score}, 99 % agreement promised at 95 %, rotated"
    return rotated_row(evidence, costs, score, PROMISE, options.seed) | _about(name, method)


def _timed(name: str, graph: Graph, evidence: Evidence, options: argparse.Namespace, work: Path) -> Row:
    samples = data.load(f"{options.data}@test")
    timed = OnTheClock(graph=graph, score=options.score, evidence=evidence, samples=samples, work=work, name=name)
    method = f"{len(EXITS[name])} light exits, {options.score}, one round, timed on OpenVINO f32, 1 thread"
    row = timed.row(Engine(name="openvino", threads=1), PROMISE, options.seed) | _about(name, method)
    print(json.dumps(row), flush=True)
    return row


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
    parser.add_argument("--out", default=str(RESULTS / "first.json"))
    options = parser.parse_args()
    drawn: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(options.work or scratch)
        work.mkdir(parents=True, exist_ok=True)
        rows = [row for name in options.networks for row in _rows(name, options, work, drawn)]
    out = Path(options.out)
    write_rows(out, rows, seed=options.seed)
    _draw(drawn, out.with_suffix(".png"))


if __name__ == "__main__":
    main()
