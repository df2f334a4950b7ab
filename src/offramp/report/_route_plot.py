"""Plots of a lambda sweep: quality against work, and who takes which route as lambda grows.

Shape letters: P networks, R routes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from offramp.errors import OutputError
from offramp.measure import Route, RouteSweep, node_shares, route_chance, route_shares

from ._drift import check_picture
from ._plot import CHOSEN, INK, LINE, PAPER, SCORES, SHADES, STYLE, add_legend, color_axes, make_figure, shade, to_svg
from ._route_name import name_route

SHOWN = len(SHADES)  # routes with a color of their own
OTHERS = "#9aa5b5"
ROOM = 24  # characters of two routes in a line of the legend
NEAR = 0.09  # of the plot's width or height: networks so near share their words
BESIDE: Any = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "handlelength": 1.6, "alignment": "left"}


def draw_routes(sweep: RouteSweep, path: str | Path, *, chosen: int | None = None) -> None:
    """Draw quality against work, routes by lambda and nodes that ran by lambda, one below the other.

    Args:
        sweep: On the test samples.
        path: Of the picture; its ending says the format.
        chosen: Position of the network that ships, to mark it.

    Raises:
        OptionError: The ending is none of .png, .svg and .pdf.
        OutputError: The picture cannot be written.

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, arXiv 1701.00299, the figures of accuracy against cost
        and of examples per execution path.
    """
    path = Path(path)
    check_picture(path)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.0, 10.2), layout="constrained")
        plots = figure.subplots(3, 1)
        for axes, draw in zip(plots, (_draw_tradeoff, _draw_routes, _draw_nodes), strict=True):
            color_axes(axes)
            draw(axes, sweep, chosen)
    try:
        with rc_context(STYLE):
            figure.savefig(path, dpi=130)
    except OSError as error:
        raise OutputError(f"{path} must be writable, but: {error.strerror}. Choose another file.") from error


def plot_tradeoff(sweep: RouteSweep, chosen: int | None = None) -> str:
    """Quality against relative MACs as SVG: the networks by lambda, fixed routes, and these mixed at random."""
    figure, axes = make_figure(9.0, 3.8)
    _draw_tradeoff(axes, sweep, chosen)
    return to_svg(figure, "Quality against relative MACs, by lambda")


def plot_routes(sweep: RouteSweep, chosen: int | None = None) -> str:
    """Share of the samples per route as lambda grows, as SVG."""
    figure, axes = make_figure(9.0, 3.4)
    _draw_routes(axes, sweep, chosen)
    return to_svg(figure, "Samples per route, by lambda")


def plot_nodes(sweep: RouteSweep, chosen: int | None = None) -> str:
    """Share of the samples per number of nodes that ran as lambda grows, as SVG."""
    figure, axes = make_figure(9.0, 3.4)
    _draw_nodes(axes, sweep, chosen)
    return to_svg(figure, "Samples per number of nodes that ran, by lambda")


def _draw_tradeoff(axes: Axes, sweep: RouteSweep, chosen: int | None) -> None:
    order = np.argsort(sweep.accuracy_weights, kind="stable")
    x = np.array([sweep.relative_macs(sweep.evidence[at]) for at in order])
    y = np.array([100 * sweep.quality(sweep.evidence[at]) for at in order])
    _draw_fixed(axes, sweep)
    axes.plot(x, y, "o-", color=LINE, linewidth=1.4, markersize=6, label="networks, by λ")
    if chosen is not None:
        one = sweep.evidence[chosen]
        place = [sweep.relative_macs(one)], [100 * sweep.quality(one)]
        axes.plot(*place, "*", color=CHOSEN, markersize=16, label="chosen", zorder=4)
    axes.set_xlim(left=0)
    axes.margins(x=0.08, y=0.14)
    axes.set_xlabel("MACs, relative to the full network")
    axes.set_ylabel(f"{sweep.quality_name}, %")
    _write_lambdas(axes, x, y, [f"{sweep.accuracy_weights[at]:g}" for at in order])
    add_legend(axes, **BESIDE)


def _draw_fixed(axes: Axes, sweep: RouteSweep) -> None:
    """Fixed routes, the line between the cheapest and the dearest, and random edges."""
    if not sweep.fixed:
        return
    places = [(sweep.relative_macs(one), 100 * sweep.quality(one)) for one in sweep.fixed.values()]
    axes.plot(*zip(*places, strict=True), "s", color=INK, markersize=4.5, alpha=0.7, label="one route for all")
    if len(sweep.fixed) > 1:
        steps = [_mix_ends(sweep, share) for share in np.linspace(0, 1, 2 if sweep.metric is None else 21)]
        cheap, dear = (name_route(sweep.graph, end) for end in sweep.ends)
        label = f"mixed at random:\n{cheap}{' ' if len(cheap + dear) < ROOM else chr(10)}or {dear}"
        axes.plot(*zip(*steps, strict=True), linestyle=(0, (4, 2)), color=INK, linewidth=1.2, label=label)
    chances = {route: route_chance(sweep.graph, route) for route in sweep.fixed}
    if len(chances) > 2 and abs(sum(chances.values()) - 1) < 1e-6:  # of two it lies on the line
        cost, quality = sweep.mixture(chances)
        axes.plot([cost], [100 * quality], "X", color=SCORES[0], markersize=8, label="random edges")


def _mix_ends(sweep: RouteSweep, share: float) -> tuple[float, float]:
    cheap, dear = sweep.ends
    chances: dict[Route, float] = {cheap: 1 - share, dear: share}
    cost, quality = sweep.mixture(chances)
    return cost, 100 * quality


def _write_lambdas(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], names: Sequence[str]) -> None:
    """The lambda above each network; neighbors share their words."""
    places = np.column_stack([x / np.ptp(axes.get_xlim()), y / np.ptp(axes.get_ylim())])
    groups: list[list[int]] = []
    for at in range(len(x)):
        group = next((one for one in groups if _is_near(places[at], places[one])), None)
        if group is None:
            groups.append([at])
        else:
            group.append(at)
    behind = {"facecolor": PAPER, "linewidth": 0, "alpha": 0.6, "pad": 1}
    for group in groups:
        place = float(x[group].mean()), float(y[group].max())
        axes.annotate(_list(group, names), place, xytext=(-6, 7), textcoords="offset points", ha="right", fontsize=8.5,
                      color=LINE, zorder=5, bbox=behind)  # fmt: skip


def _is_near(place: NDArray[np.float64], group: NDArray[np.float64]) -> bool:
    """Whether the words of a place would lie on those of a group, or on a point of it right above."""
    away = np.abs(group - place)
    return bool(np.hypot(*away[0]) < NEAR or ((away[:, 0] < NEAR / 3) & (away[:, 1] < NEAR)).any())


def _list(group: Sequence[int], names: Sequence[str]) -> str:
    """Names of a group: the first and last of neighbors, else all."""
    if len(group) > 2 and group[-1] - group[0] == len(group) - 1:
        return f"{names[group[0]]} to {names[group[-1]]}"
    return ", ".join(names[at] for at in group)


def _draw_routes(axes: Axes, sweep: RouteSweep, chosen: int | None) -> None:
    found = route_shares(sweep)
    kept = np.sort(np.argsort(-found.shares.sum(axis=0), kind="stable")[:SHOWN])
    rest = 1 - found.shares[:, kept].sum(axis=1)
    names = [f"{name_route(sweep.graph, found.routes[at].tolist())} ({found.relative_macs[at]:.2f})" for at in kept]
    shares, colors = found.shares[:, kept], [shade(at, len(kept)) for at in range(len(kept))]
    if len(kept) < len(found.routes):
        shares = np.column_stack([shares, rest])
        names, colors = [*names, f"{len(found.routes) - len(kept)} others"], [*colors, OTHERS]
    _stack(axes, sweep, shares, names, colors)
    axes.set_ylabel("samples per route, %")
    _mark(axes, sweep, chosen)
    add_legend(axes, **BESIDE, reverse=True, title="opens (relative MACs)")


def _draw_nodes(axes: Axes, sweep: RouteSweep, chosen: int | None) -> None:
    counts, shares = node_shares(sweep)
    colors = [shade(at, len(counts)) for at in range(len(counts))]
    _stack(axes, sweep, shares, [str(count) for count in counts], colors)
    axes.set_ylabel("samples per number, %")
    _mark(axes, sweep, chosen)
    add_legend(axes, **BESIDE, reverse=True, title="nodes that ran")


def _stack(
    axes: Axes, sweep: RouteSweep, shares: NDArray[np.float64], names: Sequence[str], colors: Sequence[str]
) -> None:
    """Stacked bars, one per network, as lambda grows."""
    order = np.argsort(sweep.accuracy_weights, kind="stable")
    bottom = np.zeros(len(order))
    for at, (name, color) in enumerate(zip(names, colors, strict=True)):
        heights = 100 * shares[order, at]
        axes.bar(
            range(len(order)), heights, 0.8, bottom=bottom, color=color, label=name, edgecolor=PAPER, linewidth=0.6
        )
        bottom += heights
    axes.set_ylim(0, 100)
    axes.set_xlabel("λ, share of accuracy in the reward")
    axes.grid(visible=False)


def _mark(axes: Axes, sweep: RouteSweep, chosen: int | None) -> None:
    """Lambda below each bar, with a star at the chosen one."""
    order = np.argsort(sweep.accuracy_weights, kind="stable").tolist()
    names = [f"{sweep.accuracy_weights[at]:g}" + ("\nchosen" if at == chosen else "") for at in order]
    axes.set_xticks(range(len(order)), names, rotation=45 if len(order) > 12 else 0)
