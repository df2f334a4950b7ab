"""Pictures and table of the benchmark branchynet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _tables import write_markdown
from matplotlib.figure import Figure

CURVES = ("b_lenet", "b_alexnet", "alexnet_augmented", "b_alexnet_augmented", "resnet56")


def draw_curves(rows: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Accuracy over relative MACs, one panel per network: the table's points, and the test images' own frontier."""
    figure = Figure(figsize=(5.0 * len(rows), 4.2), layout="constrained")
    for axes, (name, found) in zip(np.atleast_1d(figure.subplots(1, len(rows))), rows.items(), strict=True):
        rotated = [one for one in found if "agreement" in one]
        if rotated:
            macs = [one["relative_macs"] for one in rotated]
            axes.plot(macs, [100 * one["accuracy"] for one in rotated], "o-", label="B-ResNet-56, ours, rotated")
        for one in (one for one in found if one.get("goal", "no loss") == "no loss" and "agreement" not in one):
            (line,) = axes.plot([one["relative_macs"]], [100 * one["accuracy"]], "o", label=one["network"])
            if "curve" in one:
                drawn = np.array(one["curve"])
                axes.plot(drawn[:, 0], 100 * drawn[:, 1], color=line.get_color(), linewidth=1)
        axes.axhline(100 * found[0]["accuracy"], color="gray", linewidth=0.8, linestyle=":")
        axes.set(title=name, xlabel="relative MACs, heads and gates charged", ylabel="accuracy on test images, %")
        accuracies = [100 * one["accuracy"] for one in found]
        axes.set_ylim(min(accuracies) - 1.5, min(100.0, max(accuracies) + 1))
        axes.legend(loc="lower right", fontsize=7)
    figure.savefig(path, dpi=130)


COLUMNS = ("network", "goal", "Acc. %", "to the baseline", "MACs gain", "Time ms, 1", "Gain, 1", "Time ms, 64",
           "Gain, 64", "Threshold T", "Exit %", "published: Acc. %, ms, gain, T, exit %")  # fmt: skip


def write_table(known: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The paper's columns, time per batch of 1 and of 64, as Markdown."""
    write_markdown(COLUMNS, [_cells(one) for name in CURVES for one in known.get(name, [])], path)


def _difference(one: dict[str, Any]) -> str:
    if "difference" not in one:
        return ""
    low, high = one["interval"]
    return f"{100 * one['difference']:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def _cells(one: dict[str, Any]) -> Sequence[str]:
    def show(name: str, form: str, factor: float = 1.0) -> str:
        return format(factor * one[name], form) if name in one else ""

    published = "" if not one.get("published") else ", ".join(str(value) for value in one["published"])
    return (
        one["network"], one.get("goal", ""), show("accuracy", ".2f", 100), _difference(one),
        f"{1 / one['relative_macs']:.2f}x", show("time_ms_b1", ".3f"), show("gain_b1", ".2f"),
        show("time_ms_b64", ".2f"), show("gain_b64", ".2f"),
        " ".join(f"{value:.3g}" for value in one.get("thresholds", [])),
        " ".join(f"{100 * rate:.1f}" for rate in one.get("exit_rates", [])), published,
    )  # fmt: skip


def draw_study(found: list[dict[str, Any]], by: str, path: Path) -> None:
    """Accuracy of the branch and of the final exit."""
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    names = [str(one[by]) for one in found]
    for key, label in {"exit_accuracy": "exit 0 alone", "final_accuracy": "final exit alone",
                       "accuracy": "together, at most 0.2 points lost on held-out images"}.items():  # fmt: skip
        if key in found[0]:
            axes.plot(names, [100 * one[key] for one in found], "o-", label=label)
    label = "3x3 convolutions in the branch" if by == "depth" else "training regime, 8 passes in all"
    axes.set(title="B-LeNet on MNIST", xlabel=label, ylabel="accuracy on test images, %")
    if by == "depth":
        other = axes.twinx()
        other.plot(names, [one["relative_macs"] for one in found], "s:", color="gray", label="relative MACs (right)")
        other.set(ylabel="relative MACs", ylim=(0, 1))
    figure.legend(loc="outside lower center", fontsize=8)
    figure.savefig(path, dpi=130)
