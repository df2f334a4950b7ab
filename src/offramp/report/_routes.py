"""The page of a lambda sweep: which network ships, what it costs to be right, and who takes which route."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from markupsafe import Markup

from offramp.decide import NetworkDecision
from offramp.errors import EvidenceError, OptionError
from offramp.graph import draw_svg
from offramp.measure import RouteSweep, active_nodes
from offramp.run import Samples

from ._html import load_template, own_names, write_page
from ._route_plot import plot_nodes, plot_routes, plot_tradeoff
from ._route_samples import find_route_rows
from ._table import describe_guarantee, percent

NOTHING = 1e-9  # of rounding errors


def routes(
    sweep: RouteSweep, path: str | Path, *, samples: Samples | None = None, decision: NetworkDecision | None = None
) -> None:
    """Write the page of networks that choose what runs: one file that opens offline.

    It shows quality against work beside fixed routes and their random mixture, the share of the samples per route and
    per number of nodes that ran as lambda grows, and samples of each route.

    Args:
        sweep: On the test samples, on which nothing was chosen.
        path: Of the page.
        samples: The test samples in the same order, to show some.
        decision: By `decide.network` or `decide.network_in_budget`, from networks in the order of the sweep.

    Raises:
        EvidenceError: The samples are not those of the sweep.
        OptionError: The decision is about more networks.
        OutputError: The page cannot be written.

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, arXiv 1701.00299, the figures of accuracy against cost
        and of examples per execution path.
    """
    if samples is not None and not np.array_equal(samples.ids, sweep.evidence[0].ids):
        raise EvidenceError("the samples to show must be those of the evidence, but their ids differ. Give the same.")
    if decision is not None and max(decision.order, default=0) >= len(sweep.evidence):
        raise OptionError(
            f"the decision must be about the {len(sweep.evidence)} networks of the sweep, but names network "
            f"{max(decision.order)}. Decide among the same networks, in the same order."
        )
    write_page(Path(path), render_routes(sweep, samples=samples, decision=decision))


def render_routes(sweep: RouteSweep, *, samples: Samples | None = None, decision: NetworkDecision | None = None) -> str:
    """The page as text; arguments as for `routes`."""
    chosen = None if decision is None else decision.place
    shown = _most_routes(sweep) if chosen is None else chosen
    rows, others = ([], 0) if samples is None else find_route_rows(sweep.graph, sweep.evidence[shown], samples)
    plots = {"tradeoff": plot_tradeoff, "routes": plot_routes, "nodes": plot_nodes}
    return load_template("routes.html.j2").render(
        verdict=_conclude(sweep, decision),
        refused=decision is not None and decision.place is None,
        plots={name: Markup(own_names(plot(sweep, chosen), name)) for name, plot in plots.items()},  # made by us
        columns=_columns(sweep),
        rows=_rows(sweep),
        chosen=chosen,
        count=len(sweep.evidence[0]),
        fixed=len(sweep.fixed),
        shown=f"{sweep.accuracy_weights[shown]:g}",
        labelled=sweep.evidence[0].labels is not None,
        samples=rows,
        others=others,
        controls=[(node.name, node.edges) for node in sweep.graph.controls],
        drawing=Markup(draw_svg(sweep.graph)),  # made by graph.draw_svg
    )


def _conclude(sweep: RouteSweep, decision: NetworkDecision | None) -> list[str]:
    """What was chosen and promised, and how many networks were worth training."""
    if decision is None:
        costs = [sweep.relative_macs(one) for one in sweep.evidence]
        values = [sweep.quality(one) for one in sweep.evidence]
        first = (
            f"{min(costs):.3f} to {max(costs):.3f} of the work, {percent(min(values))} to {percent(max(values))} % "
            f"{sweep.quality_name}, by lambda"
        )
    elif decision.place is None:
        first = "No network may be promised: keep the full one"
    else:
        one = sweep.evidence[decision.place]
        first = (
            f"The network of lambda {sweep.accuracy_weights[decision.place]:g} is chosen: {percent(sweep.quality(one))}"
            f" % {sweep.quality_name} at {sweep.relative_macs(one):.3f} of the work"
        )
    promise = None if decision is None or decision.guarantee is None else decision.guarantee
    lines = [first, *([] if promise is None else [f"Target: {describe_guarantee(promise)}"])]
    gains = [gain for one in range(len(sweep.evidence)) if (gain := _gain(sweep, one)) is not None]
    if gains:
        better = sum(gain > NOTHING for gain in gains)
        lines.append(
            f"{better} of {len(gains)} networks are better than the cheapest and the dearest route mixed at random for "
            "the same work"
        )
    return lines


def _columns(sweep: RouteSweep) -> list[str]:
    agreement = [] if sweep.quality_name == "agreement" else ["Agree %"]
    return ["λ", f"{sweep.quality_name.capitalize()} %", *agreement, "MACs", "Over mixing", "Routes", "Nodes", ""]


def _rows(sweep: RouteSweep) -> list[tuple[int, list[str]]]:
    """Per network as lambda grows, its position and its cells but the last."""
    rows = []
    for at in np.argsort(sweep.accuracy_weights, kind="stable").tolist():
        one, gain = sweep.evidence[at], _gain(sweep, at)
        agreement = [] if sweep.quality_name == "agreement" else [percent(one.agreement)]
        cells = [
            f"{sweep.accuracy_weights[at]:g}",
            percent(sweep.quality(one)),
            *agreement,
            f"{sweep.relative_macs(one):.3f}",
            "-" if gain is None else f"{100 * gain:+.2f}",
            str(len(np.unique(one.route, axis=0))),
            f"{active_nodes(sweep.graph, one.route).mean():.1f}",
        ]
        rows.append((at, cells))
    return rows


def _gain(sweep: RouteSweep, place: int) -> float | None:
    """Quality of a network over that of the random mixture at its cost."""
    one = sweep.evidence[place]
    mixed = sweep.mixture_at(sweep.relative_macs(one))
    return None if mixed is None else sweep.quality(one) - mixed


def _most_routes(sweep: RouteSweep) -> int:
    """The network that uses most routes."""
    return int(np.argmax([len(np.unique(one.route, axis=0)) for one in sweep.evidence]))
