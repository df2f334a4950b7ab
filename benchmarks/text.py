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
from pathlib import Path

import numpy as np
from _protocol import OnTheClock, Row, full_row, rotated_row, rounds
from _results import write_rows
from _text import PLACES, SCORES, load, parse_options, train
from matplotlib.figure import Figure

from offramp import measure, transform
from offramp.decide import Target
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure import Costs, Evidence
from offramp.pipeline import Engine
from offramp.pipeline.parts import costs_by_score, gates_by_score
from offramp.run import Samples

DEV = 872  # sentences, the last of the held-out ones
AGREEMENT = 0.98  # the target, at 0.6 of the network's MACs


def _collect(graph: Graph, samples: Samples, options: argparse.Namespace) -> Evidence:
    kept = options.folder / "evidence.npz"
    if kept.is_file():
        return Evidence.load(kept)
    engine = Engine(name="openvino", threads=1)
    dense = engine.load_dense(onnx.save(graph, options.folder / "text.dense.onnx", dense=True))
    found = measure.evidence(dense, samples, gates=gates_by_score(graph))
    found.save(kept)
    return found


def _alone(evidence: Evidence, costs: Costs) -> list[Row]:
    """The full network, and every exit as if it answered everybody: smaller networks that one could ship instead."""
    assert evidence.labels is not None, "SST-2 has labels"
    names = [f"everybody leaves at {place}" for place in PLACES]
    rows = []
    for at, name in enumerate([*names, "full network"]):
        answers, full = evidence.predictions[:, at], at == len(names)
        macs = costs.baseline if full else float(costs.per_exit[at])
        rows.append(
            full_row(
                method=name, accuracy=float(np.mean(answers == evidence.labels)),
                agreement=float(np.mean(answers == evidence.reference)), macs=macs,
                relative_macs=macs / costs.baseline,
            )
        )  # fmt: skip
    dev = float(np.mean(evidence.predictions[-DEV:, -1] == evidence.labels[-DEV:]))
    rows[-1]["note"] = f"accuracy on the {DEV} sentences of dev alone: {dev:.4f}"
    return rows[-1:] + rows[:-1]


def _promised(evidence: Evidence, costs: Costs, score: str, max_loss: float, seed: int) -> Row:
    target = Target(max_loss=max_loss, confidence=0.95, kind="agreement")
    method = f"{score}, {1 - max_loss:.0%} agreement promised at 95 %, rotated"
    return rotated_row(evidence, costs, score, target, seed) | {"method": method}


def _targeted(evidence: Evidence, costs: Costs, score: str, seed: int) -> Row:
    """Without a promise: the cheapest point that agrees often enough on two parts, judged on the third."""
    taken = np.empty(len(evidence), np.int64)
    for turn in rounds(len(evidence), seed):
        seen = evidence.subset(turn.others)
        points = measure.frontier(seen, costs, score=score).points
        best = min((each for each in points if each.agreement >= AGREEMENT), key=lambda each: each.relative_macs)
        taken[turn.test] = measure.exits_taken(evidence.subset(turn.test), best.thresholds, score)
    answers, relative = evidence.predictions[np.arange(len(taken)), taken], float(costs.relative[taken].mean())
    return full_row(
        method=f"{score}, {AGREEMENT:.0%} agreement on two parts, judged on the third, rotated",
        accuracy=float(np.mean(answers == evidence.labels)), agreement=float(np.mean(answers == evidence.reference)),
        macs=relative * costs.baseline, relative_macs=relative,
        exit_rates=(np.bincount(taken, minlength=evidence.exits) / len(taken)).tolist(),
        note="no promise",
    )  # fmt: skip


def _timed(graph: Graph, samples: Samples, evidence: Evidence, options: argparse.Namespace) -> Row:
    timed = OnTheClock(
        graph=graph, score=options.score, evidence=evidence, samples=samples, work=options.folder, name="text"
    )  # fmt: skip
    target = Target(max_loss=1 - AGREEMENT, confidence=0.95, kind="agreement")
    method = f"{options.score}, 98 % promised at 95 %, one round, timed on OpenVINO f32, 1 thread"
    return timed.row(Engine(name="openvino", threads=1), target, options.seed) | {"method": method}


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


def _rows(options: argparse.Namespace) -> list[Row]:
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
        rows.append(_timed(gated, samples, evidence, options))
        print(json.dumps(rows[-1]), flush=True)
    where = f"SST-2, {len(samples):,} held-out sentences ({DEV} of dev)"
    return [{**row, "network": "BERT, 8 layers of width 128", "data": where} for row in rows]


def main() -> None:
    """Parse options, run, write."""
    options = parse_options(about=__doc__)
    rows = _rows(options)
    training = [{"table": "training", **epoch} for epoch in json.loads((options.folder / "history.json").read_text())]
    write_rows(options.out, [*training, *({"table": "rows", **row} for row in rows)], seed=options.seed)


if __name__ == "__main__":
    main()
