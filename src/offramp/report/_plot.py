"""Plots as inline SVG, in colors that stand on light and dark pages."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from offramp.store.record import CurveRecord, PointRecord, RunRecord, ScoresRecord, SweepRecord

INK = "#123456"  # stands for the page's text color, see `to_svg`
PAPER = "#fefefe"  # stands for what is behind the plot
LINE, CHOSEN, KNEE = "#2f7ed8", "#e0701a", "#2a9d6f"
STYLE: Any = {"font.family": "sans-serif", "font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "offramp"}
ROOM = 0.08  # relative MACs that the words below a point take
SCORES = ("#7b4fb3", "#2a9d6f", "#c2417c", "#8a7a1f", "#159fb5", "#b9502c", "#6b7f99", "#4c6b2f", "#a07ad6")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
FURTHER = 5  # times the accepted loss that the plot of all scores shows
MOST = 40  # classes of which bars are drawn
SHADES = ("#2a9d6f", "#5bb98f", "#8fd0ae", "#c9dd8f", "#f1cf6b", "#f0a95a", "#e0701a", "#b9502c", "#8c3b3b")


def plot_frontier(result: RunRecord, sweep: SweepRecord | None = None) -> str:
    """The frontier on the tuning samples, its knee, and the chosen point on the test samples.

    Args:
        result: Of a run.
        sweep: What a sweep found: its curve is drawn instead, with the promises that can be kept.
    """
    points, quality, knee = (
        (result.frontier, result.frontier_quality, result.knee)
        if sweep is None
        else (sweep.points, sweep.quality, sweep.knee)
    )
    figure, axes = make_figure(7.2, 3.6)
    x, y = [point.relative_macs for point in points], [_percent(point, quality) for point in points]
    axes.plot(
        x, y, color=LINE, linewidth=1.8, marker="o" if len(points) <= 60 else "", markersize=3, label="frontier (tune)"
    )
    axes.plot([1], [_alone(result, quality)], "s", color=INK, markersize=6, label="network alone (test)")
    if knee is not None:
        _plot_point(axes, points[knee], quality, marker="D", color=KNEE, markersize=8, label="knee (tune)")
    if sweep is not None:
        _plot_promises(axes, sweep, quality)
    label = "chosen (test)" if sweep is None or sweep.applied else "in the file (test)"
    _plot_point(axes, result.chosen, quality, marker="*", color=CHOSEN, markersize=15, label=label)
    if sweep is not None and not sweep.applied:
        open_circle: Any = {"markersize": 12, "markerfacecolor": "none", "markeredgewidth": 1.6}
        _plot_point(axes, sweep.chosen, quality, marker="o", color=CHOSEN, label="asked for (test)", **open_circle)
    _name_axes(axes, quality)
    axes.set_xlim(left=0)
    add_legend(axes, loc="lower right")
    return to_svg(figure, "Frontier: quality against relative MACs")


def _plot_point(axes: Axes, point: PointRecord, quality: str, **look: Any) -> None:  # Any: matplotlib's own
    axes.plot([point.relative_macs], [_percent(point, quality)], linestyle="none", **look)


def plot_scores(result: RunRecord) -> str:
    """The frontiers of all scores on the tuning samples, around the accepted loss; the one that gates is bold."""
    scores = result.scores
    figure, axes = make_figure(7.2, 4.2)
    styles = zip(itertools.cycle(SCORES), itertools.cycle(DASHES))
    for one in scores.ranked:
        x, y = _steps(one.frontier)
        if one.score == result.score:
            axes.plot(x, y, color=CHOSEN, linewidth=2.8, zorder=3, label=f"{one.score} (gates)")
        else:
            color, dash = next(styles)
            axes.plot(x, y, color=color, linewidth=1.4, linestyle=dash, label=one.score)
    accepted = 100 * (scores.full_quality - scores.accepted_loss)
    axes.axhline(accepted, color=INK, linewidth=0.8, linestyle=(0, (2, 3)), label="accepted loss")
    axes.set_ylim(*_around_accepted(scores))
    _name_axes(axes, result.frontier_quality)
    add_legend(axes, loc="center left", bbox_to_anchor=(1, 0.5), handlelength=2.6)
    return to_svg(figure, "Frontiers of all scores")


def _around_accepted(scores: ScoresRecord) -> tuple[float, float]:
    """Quality in percent from a few times the accepted loss, or the worst there is, to the best, with some margin."""
    full, accepted = scores.full_quality, scores.accepted_loss
    worst = min(min(one.frontier.quality) for one in scores.ranked)
    best = max(full, *(max(one.frontier.quality) for one in scores.ranked))
    lowest = max(full - FURTHER * accepted, min(worst, full - accepted))
    return 100 * lowest - 4 * (best - lowest), 100 * best + 4 * (best - lowest)


def _steps(frontier: CurveRecord) -> tuple[list[float], list[float]]:
    """Corners of a frontier as a staircase: between two points the cheaper one is all that a lower quality buys."""
    costs, quality = frontier.relative_macs, [100 * value for value in frontier.quality]
    x = [cost for cost in costs for _ in range(2)]
    y = [value for value in quality for _ in range(2)]
    return x[:-1], y[1:]


def plot_exits(shares: NDArray[np.float64], names: Sequence[str]) -> str:
    """Of each class, the share that leaves at each exit, as stacked bars.

    Args:
        shares: [classes, exits], rows that sum to 1.
        names: Of the classes.
    """
    shown = min(len(names), MOST)
    figure, axes = make_figure(7.2, 0.9 + 0.24 * shown)
    left = np.zeros(shown)
    exits = shares.shape[1]
    for at in range(exits):
        axes.barh(range(shown), 100 * shares[:shown, at], left=left, height=0.76, color=shade(at, exits),
                  label="final" if at == exits - 1 else f"exit {at}")  # fmt: skip
        left += 100 * shares[:shown, at]
    axes.set_yticks(range(shown), names[:shown])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("samples of the class, %")
    axes.grid(visible=False)
    add_legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=min(exits, 8), borderaxespad=0.2)
    return to_svg(figure, "Where the samples of each class leave")


def _plot_promises(axes: Axes, sweep: SweepRecord, quality: str) -> None:
    """The points of the losses that can be promised, with the loss below each; neighbors share their words."""
    kept = [one for one in sweep.losses if one.status == "certified"]
    if not kept:
        return
    x, y = [one.relative_macs for one in kept], [_percent(one, quality) for one in kept]
    axes.plot(x, y, "|", color=INK, markersize=9, markeredgewidth=1.4, label="loss that can be promised (test)")
    starts = [0]
    for at in range(1, len(kept)):
        if abs(x[at] - x[starts[-1]]) > ROOM:
            starts.append(at)
    for start, end in itertools.pairwise([*starts, len(kept)]):
        losses = dict.fromkeys(f"{100 * kept[at].max_loss:g}" for at in (start, end - 1))
        place = sum(x[start:end]) / (end - start), min(y[start:end])
        axes.annotate(f"{' to '.join(losses)} %", place, xytext=(0, -15), textcoords="offset points", ha="center",
                      fontsize=8, color=INK)  # fmt: skip


def _name_axes(axes: Axes, quality: str) -> None:
    axes.set_xlabel("MACs, relative to the network alone")
    axes.set_ylabel("answers without harm, %" if quality == "harm" else f"{quality}, %")


def make_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches with one plot in the colors of the page."""
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    color_axes(axes)
    return figure, axes


def color_axes(axes: Axes) -> None:
    """Grid, ticks and labels of a plot in the colors of the page."""
    axes.patch.set_alpha(0)
    axes.grid(visible=True, color=INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_alpha(0.4)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def add_legend(axes: Axes, **where: Any) -> None:  # Any: matplotlib's own
    """A legend without frame, in the color of the page's text."""
    legend = axes.legend(frameon=False, **where)
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_color(INK)


def shade(at: int, count: int) -> str:
    """The color of one of so many ordered things."""
    return SHADES[round(at * (len(SHADES) - 1) / max(1, count - 1))]


def to_svg(figure: Figure, title: str) -> str:
    """An SVG that scales with the page and takes over its text color."""
    target = io.BytesIO()
    with rc_context(STYLE):
        FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]  # matplotlib's own
            target, metadata={"Date": None, "Creator": None}
        )
    text = target.getvalue().decode()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = text.replace(PAPER, f"var(--card, {PAPER})")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)


def _percent(point: PointRecord, quality: str) -> float:
    """What the point keeps; a quality is only asked for where it is known."""
    if quality == "harm":
        return 100 * (1 - (point.harm or 0.0))
    return 100 * ((point.accuracy or 0.0) if quality == "accuracy" else point.agreement)


def _alone(result: RunRecord, quality: str) -> float:
    """What the network alone keeps: it neither differs from itself nor harms."""
    return 100 * (result.baseline.accuracy or 0.0) if quality == "accuracy" else 100.0
