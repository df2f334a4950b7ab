"""What each option of training and deciding is worth: exits on the frozen public ResNet-20, one changed at a time.

Run: python benchmarks/ablations.py --data npz:cifar10.npz --weights FOLDER --work FOLDER [--rows usual hard ...]
(writes benchmarks/results/ablations.json, .md and .png; --work keeps checkpoints; what is there is not trained again).

All rows have the same exits (but for "no student"), epochs and seed, learn from the network's answers without a label,
and are judged as in benchmarks/pteenet.py: chosen on two thirds of the test images and judged on the other, in three
rounds. One seed each: differences of less than 0.01 relative MACs say nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import _frozen
import _rounds
from _cpu import PRECISION
from _results import RESULTS, write_rows
from _tables import write_markdown
from matplotlib.figure import Figure

from offramp import data, learn, measure, transform, zoo
from offramp.graph import Graph
from offramp.measure import torch as measure_torch
from offramp.run import Samples
from offramp.zoo import LoadedModel

NAME = "resnet20"
PLACES = ("input", "layer2.1", "layer3.0", "layer3.1")
HEADS = ("student:width=8", "light", "light", "light")
SCORES = ("max_probability", "entropy", "margin", "energy", "calibrated", "confidence", "class_mean")
USUAL = learn.DistillSettings(epochs=6, precision=PRECISION)
GOALS = {goal: promise for goal, promise in _rounds.GOALS.items() if promise.confidence == 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one row has differently.

    Attributes:
        says: For the table.
        attach: Options of `attach.exits`.
        settings: Of `learn.distill_heads`.
        score: That gates.
        shared: One threshold for all exits.
        places: Of the exits, among `PLACES`.
        trained: The row whose weights it has; None for its own training.
    """

    says: str
    attach: Mapping[str, Any] = field(default_factory=dict)  # Any: options
    settings: Mapping[str, Any] = field(default_factory=dict)  # Any: settings
    score: str = "max_probability"
    shared: bool = False
    places: Sequence[int] = (0, 1, 2, 3)
    trained: str | None = None


ROWS = {
    "usual": Change(says="soft labels, a student at the input, a threshold per exit, max probability"),
    "shared": Change(says="one threshold for all exits", shared=True, trained="usual"),
    **{name: Change(says=f"score {name}", score=name, trained="usual") for name in SCORES[1:]},
    "no-student": Change(says="no exit at the input", places=(1, 2, 3), trained="usual"),
    "hard": Change(says="hard labels", settings={"targets": "hard"}),
    "survivors-0.5": Change(says="survivor weighting, by half", settings={"sample_weighting": 0.5}),
    "survivors-1": Change(says="survivor weighting, in full", settings={"sample_weighting": 1.0}),
    "cascade": Change(says="each head sees the earlier heads' logits", attach={"reuse_logits": True}),
    "ensemble": Change(says="geometric ensembles of the heads so far", attach={"ensemble_heads": True}),
    "both": Change(
        says="logits of the earlier heads, and ensembles", attach={"reuse_logits": True, "ensemble_heads": True}
    ),
    "mix": Change(says="samples mixed (pays in many epochs)", settings={"mixup": 0.75}),
}


def train(change: Change, name: str, loaded: LoadedModel, samples: Samples, work: Path, seed: int) -> Graph:
    """The exits of one row, of those before it where it has no training of its own."""
    if change.trained is not None:
        whole = train(ROWS[change.trained], change.trained, loaded, samples, work, seed)
        return transform.keep_exits(whole, change.places)
    graph = _frozen.add_exits(loaded, PLACES, HEADS, seed, **{"scores": SCORES, **change.attach})
    settings = replace(USUAL, seed=seed, **change.settings)
    return learn.distill_heads(graph, samples, settings, checkpoint=work / f"ablation-{name}.ckpt", resume=True)


def judge(
    change: Change, name: str, graph: Graph, samples: Samples, work: Path, seed: int
) -> dict[str, Any]:  # Any: JSON
    """Relative MACs at each goal, and the mean saved up to 3 % of changed answers."""
    graph = transform.gate_by(graph, change.score)
    evidence = _frozen.observe(graph, samples, work / f"ablation-{name}.dense.onnx")
    parts = measure_torch.breakdown(graph)
    one = _rounds.Variant(label=name, evidence=evidence, parts=parts, score=change.score, shared=change.shared)
    drawn = measure.frontier(evidence, measure_torch.path_costs(graph), score=change.score, shared=change.shared)
    alone = [float((evidence.predictions[:, at] == evidence.reference).mean()) for at in range(evidence.exits - 1)]
    found: dict[str, Any] = {
        "row": name, "says": change.says, "saved_to_3_percent": measure.area(drawn, up_to=0.03), "exits_alone": alone,
        "goals": {goal: _rounds.judge(_rounds.play([one], promise, seed)) for goal, promise in GOALS.items()},
        "curve": _rounds.curve([one]),
    }  # fmt: skip
    print(json.dumps({key: value for key, value in found.items() if key != "curve"}), flush=True)
    return found


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """One line per row: relative MACs at each goal with the agreement that was reached."""
    titles = ["changed", *GOALS, "saved, mean to 3 %", "heads alone agree, %"]
    lines = []
    for one in rows:
        cells = [f"{found['relative_macs']:.3f} ({100 * found['agreement']:.2f} %)" for found in one["goals"].values()]
        alone = " ".join(f"{100 * share:.1f}" for share in one["exits_alone"])
        lines.append((one["says"], *cells, f"{one['saved_to_3_percent']:.3f}", alone))
    write_markdown(titles, lines, path)


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Relative MACs at 98 %, one bar per row, the usual one as a line."""
    figure = Figure(figsize=(7.5, 0.32 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    goal = "98 % to expect"
    values = [one["goals"][goal]["relative_macs"] for one in rows]
    bars = axes.barh([one["says"] for one in rows], values, color=["#1f77b4", *["#9ecae1"] * (len(rows) - 1)])
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.axvline(values[0], color="gray", linewidth=0.8, linestyle=":")
    axes.invert_yaxis()
    axes.set(xlabel="relative MACs at 98 % agreement to expect", xlim=(0, 1.12 * max(values)))
    axes.tick_params(axis="y", labelsize=8)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Parse options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=str(RESULTS / "ablations.json"))
    options = parser.parse_args()
    work, out = Path(options.work), Path(options.out)
    work.mkdir(parents=True, exist_ok=True)
    loaded = zoo.load_model(f"zoo:{NAME}", weights=Path(options.weights) / _frozen.PLANS[NAME].weights)
    samples, test = data.load(f"{options.data}@train"), data.load(f"{options.data}@test")
    rows = []
    for name in options.rows:
        graph = train(ROWS[name], name, loaded, samples, work, options.seed)
        rows.append(judge(ROWS[name], name, graph, test, work, options.seed))
    write_rows(out, [{"network": NAME, **row} for row in rows], seed=options.seed)
    write_table(rows, out.with_suffix(".md"))
    draw(rows, out.with_suffix(".png"))


if __name__ == "__main__":
    main()
