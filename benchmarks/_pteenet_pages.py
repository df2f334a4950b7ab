"""Picture and table of the benchmark pteenet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _tables import write_markdown
from matplotlib.figure import Figure

PUBLISHED = ((0.731, 97.15), (0.672, 95.14), (0.572, 93.62))  # of ResEEnet-110/10: cost without heads before, agreement


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Agreement over relative MACs, one panel per network."""
    names = list(dict.fromkeys(one["network"] for one in rows))
    figure = Figure(figsize=(5.4 * len(names), 4.4), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        for method in dict.fromkeys(one["method"] for one in rows if one["network"] == name and "goal" in one):
            mine = [one for one in rows if one["network"] == name and one["method"] == method]
            if mine[0]["goal"] == "as published":
                continue
            points = sorted((one["relative_macs"], 100 * one["agreement"]) for one in mine)
            (line,) = axes.plot(*zip(*points, strict=True), "o", label=method)
            drawn = np.array(mine[0]["curve"])
            axes.plot(drawn[:, 0], 100 * drawn[:, 1], color=line.get_color(), linewidth=1)
        dots = [one for one in rows if one["network"] == name and one.get("goal") == "as published"]
        if dots:
            axes.plot(
                [one["relative_macs"] for one in dots], [100 * one["agreement"] for one in dots], "kx-", linewidth=0.5,
                markersize=4, label="PTEEnet, one lambda each, T 0.5",
            )  # fmt: skip
            axes.plot(
                [one["macs_as_published"] for one in dots], [100 * one["agreement"] for one in dots], "k+:",
                linewidth=0.5, markersize=5, label="the same, only the head that answers charged",
            )  # fmt: skip
            axes.plot(*zip(*PUBLISHED, strict=True), "s:", color="gray", linewidth=0.5, markersize=3,
                      label="published so, another network: ResNet-110")  # fmt: skip
        axes.axhline(99, color="gray", linewidth=0.8, linestyle=":")
        axes.set(title=name, xlabel="relative MACs, everything charged", ylabel="agreement, %", ylim=(90, 100.1))
        axes.legend(loc="lower right", fontsize=7)
    figure.savefig(path, dpi=130)


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A line per network, method and goal: the least cost at each accepted loss, and what was lost on images unseen."""
    titles = ("network", "method", "goal", "agreement %", "accuracy %", "points to full [95 %]", "relative MACs",
              "as published", "gain b1", "gain b64")  # fmt: skip
    lines = []
    for one in rows:
        low, high = one.get("interval", (0.0, 0.0))
        lost = f"{100 * one['difference']:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]" if "difference" in one else "-"
        lines.append([
            one["network"], one["method"], one.get("goal", "-"), f"{100 * one['agreement']:.2f}",
            f"{100 * one['accuracy']:.2f}", lost, f"{one['relative_macs']:.3f}",
            *(f"{one[name]:.{digits}f}" if name in one else "-"
              for name, digits in (("macs_as_published", 3), ("gain_b1", 2), ("gain_b64", 2))),
        ])  # fmt: skip
    for cost, agreement in PUBLISHED:
        known = ["resnet110", "PTEEnet, from its paper", "as published", f"{agreement:.2f}"]
        lines.append([*known, *"---", f"{cost:.3f}", *"--"])
    write_markdown(titles, lines, path)
