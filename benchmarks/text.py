"""A BERT classifier of SST-2, frozen, exits trained without labels: what changed answers buy on texts.

Run: python benchmarks/text_network.py --data FOLDER --out WORK, then python benchmarks/text.py --folder WORK
(writes benchmarks/results/text.json and the frontier's picture beside it; checkpoints go to the folder).

The network is small and trained from scratch: its accuracy is that of such networks, not that of pretrained ones. The
exits learn from its answers to training texts of five words and more; no label is read. Judged are sentences that
neither it nor the exits have seen, divided at random into tune, calibrate and test. Accuracy, agreement and MACs are
the mean over three rotations of the parts, each sentence being test once in a round whose tune and calibrate parts it
is not in. All texts are padded to 64 tokens, for the network and for us. Times are from one round, on its test part.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
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
from offramp.pipeline._chain import costs_by_score, gates_by_score
from offramp.pipeline._clock import time_network
from offramp.pipeline._engine import Engine
from offramp.pipeline._exports import Exports
from offramp.run import Samples

HERE = Path(__file__).parent
PLACES: list[str | int] = ["input", *(f"bert.encoder.layer.{at}" for at in range(5))]
HEADS = ["student", *["token"] * 5]
SCORES = ("max_probability", "entropy", "margin", "patience", "confidence")
DEV = 872  # sentences, the last of the held-out ones
AGREEMENT = 0.98  # the target, at 0.6 of the network's MACs
FIELDS = (
    *("system", "network", "data", "method", "accuracy", "agreement", "macs", "relative_macs", "latency_s", "gain_b1"),
    *("gain_b64", "efficiency_b1", "efficiency_b64", "thresholds", "exit_rates", "note"),
)


def _row(**known: Any) -> dict[str, Any]:  # Any: JSON
    return {**dict.fromkeys(FIELDS), "system": "ours", **known}


def train(options: argparse.Namespace) -> Graph:
    """The network with trained exits; a finished training leaves a checkpoint that is at its end."""
    loaded = zoo.load_model(f"hf:{options.folder / 'network'}")
    graph = attach.exits(loaded.module, loaded.example, placement=PLACES, head=HEADS, scores=SCORES)
    settings = learn.DistillSettings(
        epochs=options.epochs, learning_rate=options.rate, precision=options.precision, seed=options.seed
    )
    samples = load(options, "unlabelled")
    return learn.distill_heads(graph, samples, settings, checkpoint=options.folder / "text.ckpt", resume=True)


def load(options: argparse.Namespace, name: str) -> Samples:
    """One of the files of text_network.py."""
    folder = options.folder
    return data.load(f"tsv:{folder / name}.tsv", tokenizer=str(folder / "network"), max_length=options.tokens)


def _collect(graph: Graph, samples: Samples, options: argparse.Namespace) -> Evidence:
    kept = options.folder / "evidence.npz"
    if kept.is_file():
        return Evidence.load(kept)
    engine = Engine(name="openvino", threads=1)
    dense = engine.load_dense(onnx.save(graph, options.folder / "text.dense.onnx", dense=True))
    found = measure.evidence(dense, samples, gates=gates_by_score(graph))
    found.save(kept)
    return found


def _alone(evidence: Evidence, costs: Costs) -> list[dict[str, Any]]:
    """The full network, and every exit as if it answered everybody: smaller networks that one could ship instead."""
    assert evidence.labels is not None, "SST-2 has labels"
    names = [f"everybody leaves at {place}" for place in PLACES]
    rows = []
    for at, name in enumerate([*names, "full network"]):
        answers, full = evidence.predictions[:, at], at == len(names)
        macs = costs.baseline_macs if full else float(costs.macs[at])
        rows.append(
            _row(
                method=name, accuracy=float(np.mean(answers == evidence.labels)),
                agreement=float(np.mean(answers == evidence.reference)), macs=macs,
                relative_macs=macs / costs.baseline_macs,
            )
        )  # fmt: skip
    dev = float(np.mean(evidence.predictions[-DEV:, -1] == evidence.labels[-DEV:]))
    rows[-1]["note"] = f"accuracy on the {DEV} sentences of dev alone: {dev:.4f}"
    return rows[-1:] + rows[:-1]


def _promised(evidence: Evidence, costs: Costs, score: str, max_loss: float, seed: int) -> dict[str, Any]:
    promise = decide.Target(max_loss=max_loss, confidence=0.95, kind="agreement")
    found = decide.rotate(evidence, costs, score=score, promise=promise, seed=seed)
    checked = decide.audit(evidence, costs, score=score, promise=promise, draws=200, seed=seed)
    low, high = found.accuracy_interval or (float("nan"), float("nan"))
    certified = sum(bool(each.guarantee and each.guarantee.status == "certified") for each in found.decisions)
    return _row(
        method=f"{score}, {1 - max_loss:.0%} agreement promised at 95 %, rotated",
        accuracy=found.accuracy, agreement=found.agreement, macs=found.relative_macs * costs.baseline_macs,
        relative_macs=found.relative_macs, exit_rates=list(found.exit_rates),
        note=(
            f"certified in {certified} of 3 rounds; accuracy {found.accuracy_difference:+.4f} "
            f"[{low:+.4f}, {high:+.4f}] to the full network; audit: loss above {max_loss:.0%} in "
            f"{checked.share_exceeding:.1%} of {checked.draws} calibration sets (at most {checked.limit:.1%} is "
            f"honest), mean relative MACs {checked.relative_macs:.3f}"
        ),
    )  # fmt: skip


def _targeted(evidence: Evidence, costs: Costs, score: str, seed: int) -> dict[str, Any]:
    """Without a promise: the cheapest point that agrees often enough on two parts, judged on the third."""
    parts = np.array_split(np.random.default_rng(seed).permutation(len(evidence)), 3)
    taken = np.empty(len(evidence), np.int64)
    for turn in range(3):
        seen = evidence.subset(np.concatenate([parts[turn - 1], parts[turn - 2]]))
        points = measure.frontier(seen, costs, score=score).points
        best = min((each for each in points if each.agreement >= AGREEMENT), key=lambda each: each.relative_macs)
        taken[parts[turn]] = measure.exits_taken(evidence.subset(parts[turn]), best.thresholds, score)
    answers, relative = evidence.predictions[np.arange(len(taken)), taken], float(costs.relative[taken].mean())
    return _row(
        method=f"{score}, {AGREEMENT:.0%} agreement on two parts, judged on the third, rotated",
        accuracy=float(np.mean(answers == evidence.labels)), agreement=float(np.mean(answers == evidence.reference)),
        macs=relative * costs.baseline_macs, relative_macs=relative,
        exit_rates=(np.bincount(taken, minlength=evidence.exits) / len(taken)).tolist(),
        note="no promise",
    )  # fmt: skip


def _timed(graph: Graph, samples: Samples, evidence: Evidence, costs: Costs, options: Any) -> dict[str, Any]:
    """One round: thresholds of its tune and calibrate parts, times on its test part."""
    order = np.random.default_rng(options.seed).permutation(len(samples))
    tune, calibrate, test = (evidence.subset(part) for part in np.array_split(order, 3))
    frontier = measure.frontier(tune, costs, score=options.score)
    decision = decide.thresholds(frontier, calibrate, max_loss=1 - AGREEMENT, confidence=0.95, kind="agreement")
    point = measure.operate(test, costs, decision.thresholds, score=options.score)
    exports = Exports(options.folder)
    card = {"thresholds": [float(value) for value in decision.thresholds]}
    times = time_network(
        graph, exports.save(graph, options.folder / "text.onnx", card), evidence=test, thresholds=decision.thresholds,
        test=samples.subset(np.array_split(order, 3)[2]), score=options.score, exports=exports, seed=options.seed,
        engine=Engine(name="openvino", threads=1),
    )  # fmt: skip
    latency = {
        str(size): {"baseline": each.baseline.mean_s, "ours": each.ours.mean_s, "ideal": each.ideal_s,
                    "empty": each.empty_s}
        for size, each in times.items()
    }  # fmt: skip
    return _row(
        method=f"{options.score}, 98 % promised at 95 %, one round, timed on OpenVINO f32, 1 thread",
        accuracy=point.accuracy, agreement=point.agreement, macs=point.macs, relative_macs=point.relative_macs,
        latency_s=latency, gain_b1=times[1].gain, gain_b64=times[64].gain, efficiency_b1=times[1].efficiency,
        efficiency_b64=times[64].efficiency, thresholds=list(decision.thresholds), exit_rates=list(point.exit_rates),
        note=f"{decision.guarantee.status if decision.guarantee else 'no promise'}; gain is mean by mean, interleaved",
    )  # fmt: skip


def _draw(evidence: Evidence, costs: dict[str, Costs], path: Path) -> None:
    """Agreement over relative MACs, one line per score, and every exit alone; drawn on all held-out sentences."""
    figure = Figure(figsize=(6, 4.4), layout="constrained")
    axes = figure.subplots()
    for score in SCORES:
        points = measure.frontier(evidence, costs[score], score=score).points
        axes.plot([each.relative_macs for each in points], [100 * each.agreement for each in points], label=score)
    alone = [100 * float(np.mean(each == evidence.reference)) for each in evidence.predictions.T[:-1]]
    axes.plot(costs[SCORES[0]].relative[:-1], alone, "k.", label="everybody leaves at one exit")
    axes.axhline(100 * AGREEMENT, color="gray", linewidth=0.8, linestyle=":")
    axes.axvline(0.6, color="gray", linewidth=0.8, linestyle=":")
    axes.set(title="BERT, 8 layers, on SST-2", xlabel="relative MACs, heads and gates charged", ylabel="agreement, %")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)


def _rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    graph, samples = train(options), load(options, "held_out")
    evidence, costs = _collect(graph, samples, options), costs_by_score(graph)
    rows = _alone(evidence, costs["max_probability"])
    for score in SCORES:
        rows.append(_targeted(evidence, costs[score], score, options.seed))
        rows += [_promised(evidence, costs[score], score, loss, options.seed) for loss in (1 - AGREEMENT, 0.01)]
    for row in rows:
        print(json.dumps({name: row[name] for name in ("method", "accuracy", "agreement", "relative_macs", "note")}))
    _draw(evidence, costs, options.out.with_suffix(".png"))
    if not options.no_clock:
        gated = transform.gate_by(graph, options.score)
        rows.append(_timed(gated, samples, evidence, costs[options.score], options))
        print(json.dumps(rows[-1]), flush=True)
    where = f"SST-2, {len(samples):,} held-out sentences ({DEV} of dev)"
    return [{**row, "network": "BERT, 8 layers of width 128", "data": where} for row in rows]


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options from the command line, or from a list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="what text_network.py wrote")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--precision", default=PRECISION, choices=["float32", "bfloat16"])
    parser.add_argument("--score", default="max_probability", choices=SCORES)
    parser.add_argument("--no-clock", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "text.json")
    return parser.parse_args(arguments)


def main() -> None:
    """Parse options, run, write."""
    options = parse_options()
    rows = _rows(options)
    page = {
        **stamp(options.seed), "training": json.loads((options.folder / "history.json").read_text()), "rows": rows,
    }  # fmt: skip
    options.out.write_text(json.dumps(page, indent=1) + "\n")


if __name__ == "__main__":
    main()
