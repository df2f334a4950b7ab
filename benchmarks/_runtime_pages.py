"""Table and pictures of the benchmark runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _tables import format_markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

SIZES = ("b1", "b8", "b64", "b256")
COLORS = {"f32": "#4477aa", "bf16": "#ee7733", "int8": "#228833", "int8+f32": "#ccbb44"}
ENGINES = {"PyTorch eager": "black", "torch.compile": "#888888", "ONNX Runtime": "#aa3377", "PyTorch": "black"}
MARKERS = {"resnet56": "o", "b_alexnet": "s", "b_lenet": "^", "vit_tiny": "D", "bert_mini": "v"}
PANELS = 3  # side by side
Network = Mapping[str, Any]  # Any: JSON
Row = Mapping[str, Any]  # Any: JSON


# ---- the table ----


def write_pages(networks: Sequence[Network], path: Path) -> None:
    """All tables of all networks, one below the other."""
    pages = []
    for network in networks:
        pages.append(f"# {network['network']}, {network['samples']:,} test samples\n")
        for title, titles, rows in (
            ("Mean ms per call (p50, p95), and how many times as fast as eager PyTorch with as many threads",
             ("system", "threads", "accuracy %", "agreement %", "MACs", *SIZES, "MiB"), rows_of(network)),
            ("How near to the sum of its parts", ("precision", "goal", "batch", "ms", "ideal ms", "efficiency",
             "gain over the network alone in this precision", "empty ms"), rows_of_parts(network)),
            ("Does it skip? Time as a share of the network alone",
             ("runtime", "batch", "all leave first", "half leaves first", "nobody leaves", "MACs of the first exit"),
             rows_of_skips(network)),
        ):  # fmt: skip
            pages.append(f"{title}:\n\n{format_markdown(titles, rows)}")
    path.write_text("\n".join(pages))


def rows_of(network: Network) -> Iterator[list[str]]:
    """A line per system."""
    rows = network["rows"]
    base = {one["threads"]: one for one in rows if one["system"].startswith("PyTorch eager")}
    for one in sorted(rows, key=lambda row: row["threads"]):
        cells = []
        for size in SIZES:
            if size not in one:
                cells.append("-")
                continue
            time, eager = one[size], base[one["threads"]][size]
            gain = eager["mean_ms"] / time["mean_ms"]
            p50, p95 = time["p50_ms"], time["p95_ms"]
            more = f", {time['to_one_thread']:.2f}x one thread" if "to_one_thread" in time else ""
            cells.append(f"{time['mean_ms']:.3f} ({p50:.3f}, {p95:.3f}) {gain:.1f}x{more}")
        macs = f"{one['relative_macs']:.3f}" if "relative_macs" in one else "1"
        quality = [f"{100 * one[name]:.2f}" for name in ("accuracy", "agreement")]
        memory = "-" if one["memory_mib"] is None else f"{one['memory_mib']:.0f}"
        refused = ", refused" if one.get("guarantee") == "refused" else ""
        yield [one["system"] + refused, str(one["threads"]), *quality, macs, *cells, memory]


def rows_of_parts(network: Network) -> Iterator[list[str]]:
    """A line per precision, goal and batch size."""
    for one in network["parts"]:
        yield [
            one["precision"], one["goal"], str(one["batch"]), f"{one['ours_ms']:.3f}", f"{one['ideal_ms']:.3f}",
            f"{one['efficiency']:.3f}", f"{one['gain']:.2f}x", f"{one['empty_ms']:.3f}",
        ]  # fmt: skip


def rows_of_skips(network: Network) -> Iterator[list[str]]:
    """A line per runtime and batch size."""
    for one in network["skips"]:
        shares = [
            f"{one[name] / one['alone']:.2f}" if name in one else "-"
            for name in ("everybody leaves first", "half leaves first", "nobody leaves")
        ]
        yield [one["runtime"], str(one["batch"]), *shares, f"{one['macs_of_first']:.3f}"]


# ---- pictures ----


def draw_networks(networks: Sequence[Network], path: Path) -> None:
    """Samples per second over the batch size with one thread, a panel per network."""
    rows, across = -(-len(networks) // PANELS), min(PANELS, len(networks))
    figure = Figure(figsize=(5.2 * across + 2.6, 4.6 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, across)).ravel()
    for axes, network in zip(panels, networks, strict=False):
        draw_network(axes, network)
    for axes in panels[len(networks) :]:
        axes.remove()
    lines = {line.get_label(): line for axes in panels[: len(networks)] for line in axes.get_lines()}
    figure.legend(handles=list(lines.values()), fontsize=8, handlelength=3.5, loc="outside right upper")
    figure.savefig(path, dpi=130)


def draw_network(axes: Axes, network: Network) -> None:
    """Dashed lines are the network alone, whole lines are ours."""
    for one in network["rows"]:
        if one["threads"] != 1 or one["kind"] == "earlyon" or "to expect" in one["system"]:
            continue
        sizes = [size for size in SIZES if size in one]
        style = {"alone": "--", "ours": "-"}[one["kind"]]
        color = COLORS[one["precision"]] if one["engine"] == "OpenVINO" else ENGINES[one["engine"]]
        axes.plot(
            [int(size[1:]) for size in sizes], [one[size]["samples_per_s"] for size in sizes], style, marker=".",
            color=color, label=f"{one['system'].split(', 99')[0]}",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="batch size", ylabel="samples per second, 1 thread",
             title=network["network"])  # fmt: skip
    axes.set_xticks([1, 8, 64, 256], ["1", "8", "64", "256"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter("{x:,.0f}")
    axes.tick_params(which="minor", labelsize=7)


def draw_growth(rows: Sequence[Row], networks: Sequence[Network], path: Path) -> None:
    """Efficiency as exits, depth and batches grow."""
    figure = Figure(figsize=(15.6, 4.2), layout="constrained")
    exits, depth, batch = figure.subplots(1, 3)
    for axes, study, name, title in (
        (exits, "exits", "exits", "ResNet-56, nobody leaves"),
        (depth, "depth", "depth", "ResNets with two exits, half leaves at the first"),
    ):
        mine = [one for one in rows if one["study"] == study]
        for precision in dict.fromkeys(one["precision"] for one in mine):
            for size, style in ((1, "-"), (64, "--")):
                line = [one for one in mine if one["precision"] == precision and one["batch"] == size]
                axes.plot([one[name] for one in line], [one["efficiency"] for one in line], style, marker=".",
                          color=COLORS[precision], label=f"{precision}, batch {size}")  # fmt: skip
        axes.set(xlabel=name, ylabel="efficiency: parts / measured", title=title)
    for network in networks:
        for precision in dict.fromkeys(one["precision"] for one in network["parts"]):
            line = [one for one in network["parts"] if one["precision"] == precision and "promised" in one["goal"]]
            batch.plot([one["batch"] for one in line], [one["efficiency"] for one in line], "-",
                       marker=MARKERS[network["network"]], color=COLORS[precision],
                       label=f"{network['network']} {precision}")  # fmt: skip
    batch.set(xscale="log", xlabel="batch size", ylabel="efficiency: parts / measured",
              title="trained networks, natural mix")  # fmt: skip
    for axes in (exits, depth, batch):
        axes.axhline(1, color="gray", linewidth=0.7)
        axes.set_ylim(0, 1.15)
    for axes in (exits, depth):
        axes.legend(fontsize=7)
    batch.set_xticks([1, 64, 256], ["1", "64", "256"])
    batch.xaxis.set_minor_locator(NullLocator())
    batch.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=130)
