"""The table and the pictures of the benchmark d2nn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _tables import write_markdown
from matplotlib.figure import Figure

Study = Mapping[str, Any]  # Any: JSON
Row = Mapping[str, Any]
COLUMNS = ("network", "method", "setting", "F1", "Acc. %", "MACs, M", "relative MACs", "to mixing", "to the dearest")
ACROSS = 3  # panels side by side
LINES = {
    "D2NN": "C0o-", "D2NN, mini-bags": "C4v", "thresholds": "C2s--", "random edges": "C1x:", "fixed way": "kD",
    "trained alone": "C3^",
}  # fmt: skip


def worth(row: Row) -> float:
    """What counts, in percent."""
    return 100 * float(row.get("f1", row["accuracy"]))


def panels(studies: Sequence[Study]) -> tuple[Figure, Sequence[Any]]:  # Any: axes
    """A figure with a panel per study."""
    rows, across = -(-len(studies) // ACROSS), min(ACROSS, len(studies))
    figure = Figure(figsize=(5.2 * across, 4.2 * rows), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, across)).ravel())
    for spare in axes[len(studies) :]:
        spare.set_visible(False)
    return figure, axes


def draw_curves(studies: Sequence[Study], path: Path) -> None:
    """F1 or accuracy over multiplications."""
    figure, axes = panels(studies)
    for panel, study in zip(axes, studies, strict=False):
        _draw_curve(panel, study)
    figure.savefig(path, dpi=130)


def _draw_curve(axes: Any, study: Study) -> None:  # Any: matplotlib has no types
    rows = study["rows"]
    fixed = sorted((row["macs"], worth(row)) for row in rows if row["method"] == "fixed way")
    if "above_mixing" in rows[0]:
        ends = [fixed[0], fixed[-1]]
        axes.plot(*zip(*[(macs / 1e6, value) for macs, value in ends], strict=True), color="gray", linewidth=1,
                  label="cheapest and dearest, mixed")  # fmt: skip
    for method in dict.fromkeys(row["method"] for row in rows):
        if method.endswith("chosen") or method == "full network":
            continue
        points = sorted((row["macs"] / 1e6, worth(row)) for row in rows if row["method"] == method)
        style = LINES.get(method, "o-")
        axes.plot(*zip(*points, strict=True), style, markersize=4, linewidth=1, label=method, zorder=3)
    for row in rows:
        if row["method"].endswith("chosen"):
            axes.plot([row["macs"] / 1e6], [worth(row)], "o", markersize=9, fillstyle="none", color="black", zorder=2)
    for row in study.get("published", []):
        axes.plot([row["macs"] / 1e6], [worth(row)], "k*", markersize=9)
        axes.annotate(row["method"], (row["macs"] / 1e6, worth(row)), fontsize=7, ha="right", va="bottom")
    name = "F1 of faces, %" if "f1" in rows[0] else "accuracy, %"
    shown = [row for row in rows if row["method"] != "random edges"]
    low, high = _limits([worth(row) for row in (*shown, *study.get("published", []))])
    axes.set(title=study["study"], xlabel="multiply-accumulates, millions", ylabel=name, ylim=(low, high))
    axes.legend(fontsize=7)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """From a little below the lower quarter to a little above the best: what is far worse would hide the rest."""
    low, high = float(np.percentile(values, 10)), max(values)
    margin = 0.15 * (high - low) + 0.1
    return low - margin, min(100.0, high + margin)


def draw_times(studies: Sequence[Study], path: Path) -> None:
    """Time per sample of each way over its multiplications, and of the whole network with its conditions."""
    studies = [study for study in studies if "times" in study]
    figure, axes = panels(studies)
    for panel, study in zip(axes, studies, strict=False):
        times = study["times"]
        for size, color in ((1, "tab:blue"), (64, "tab:orange")):
            key = f"time_ms_b{size}"
            points = sorted((one["macs"] / 1e6, one[key] / size) for one in times["paths"])
            panel.plot(*zip(*points, strict=True), "o", color=color, label=f"one way as a plain network, batch {size}")
            whole = times["whole"]
            panel.plot([whole["macs"] / 1e6], [whole[key] / size], "*", color=color, markersize=11,
                       label=f"all ways in one file, batch {size}")  # fmt: skip
            panel.axhline(times["empty"][key] / size, color=color, linewidth=0.7, linestyle=":")
        panel.set(title=study["study"], xlabel="multiply-accumulates, millions", ylabel="ms per sample")
        panel.set_xlim(0, 1.08 * max(one["macs"] for one in (*times["paths"], times["whole"])) / 1e6)
        panel.set_ylim(bottom=0)
        panel.legend(loc="upper left", fontsize=7)
    figure.savefig(path, dpi=130)


def write_table(studies: Sequence[Study], path: Path) -> None:
    """All rows as Markdown."""
    rows = [(study["study"], row) for study in studies for row in (*study["rows"], *study.get("published", []))]
    write_markdown(COLUMNS, [_cells(name, row) for name, row in rows], path)


def _cells(study: str, row: Row) -> Sequence[str]:
    def say(name: str, form: str, factor: float = 1.0) -> str:
        return format(factor * row[name], form) if name in row else ""

    interval = "" if "interval" not in row else " [{:+.2f}, {:+.2f}]".format(*(100 * each for each in row["interval"]))
    return (
        study, row["method"], _setting(row), say("f1", ".4f"), say("accuracy", ".2f", 100), say("macs", ".3f", 1e-6),
        say("relative_macs", ".3f"), say("above_mixing", "+.2f", 100), say("difference", "+.2f", 100) + interval,
    )  # fmt: skip


def _setting(row: Row) -> str:
    """What distinguishes a row from the others of its method."""
    forms = {
        "goal": "{}", "budget": "budget {:g}", "accuracy_weight": "λ {:g}", "dear_share": "dear edge {:g}", "way": "{}",
        "bag": "bags of {}",
    }  # fmt: skip
    said = [form.format(row[name]) for name, form in forms.items() if name in row]
    if "thresholds" in row:
        said.append("T " + " ".join(f"{value:.3g}" for value in row["thresholds"]))
    return ", ".join(said)
