"""The report: one page that opens offline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from offramp.errors import OutputError
from offramp.measure import Evidence
from offramp.run import Samples
from offramp.store.record import RunRecord, SweepRecord, TimesRecord

from ._gain import describe_gain, find_interval, judge_gain
from ._placement import tabulate_placement
from ._plot import MOST, plot_exits, plot_frontier, plot_scores
from ._samples import find_rows, shares_by_class
from ._sweep import COSTS, POINTS, describe_losses, describe_search, loss_rows, point_rows
from ._table import COLUMNS, describe_promise, draw_table, milliseconds, percent, rows, threshold
from ._test_loss import describe_test
from ._times import former_times


def html(
    result: RunRecord,
    path: str | Path,
    *,
    drawing: str | None = None,
    evidence: Evidence | None = None,
    samples: Samples | None = None,
    sweep: SweepRecord | None = None,
) -> None:
    """Write the report of a run: verdict, table, frontier, who leaves where, graph, machine and command.

    Args:
        result: Of the run.
        path: Of the page.
        drawing: The graph as SVG.
        evidence: Of the test samples; without it the page does not say who leaves where.
        samples: The test samples in the same order, to show some; they need the evidence.
        sweep: What `offramp sweep` found in the evidence; the page then shows its curve, and what each loss would cost.

    Raises:
        OutputError: The page cannot be written.
    """
    write_page(Path(path), render(result, drawing=drawing, evidence=evidence, samples=samples, sweep=sweep))


def render(
    result: RunRecord,
    *,
    drawing: str | None = None,
    evidence: Evidence | None = None,
    samples: Samples | None = None,
    sweep: SweepRecord | None = None,
) -> str:
    """The page as text; arguments as for `html`."""
    return load_template("page.html.j2").render(
        result=result,
        columns=COLUMNS,
        rows=rows(result),
        promise=describe_promise(result),
        test_lines=describe_test(result),
        slow=_is_slow(result),
        former=former_times(result),
        made=_made(result),
        text=draw_table(result),
        frontier=Markup(own_names(plot_frontier(result, sweep), "frontier")),  # made by us
        scores=Markup(own_names(plot_scores(result), "scores")),  # made by us
        sweep=None if sweep is None else _swept(sweep),
        placement=None if result.placement is None else tabulate_placement(result.placement),
        by_class=_by_class(result, evidence),
        exits=[] if evidence is None or samples is None or not _gated(result) else _rows(result, evidence, samples),
        drawing=None if drawing is None else Markup(drawing),  # made by graph.draw_svg
    )


def load_template(name: str) -> Template:
    """A template of this folder, with the filters of all pages."""
    environment = Environment(
        loader=PackageLoader("offramp.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "ms": milliseconds, "threshold": threshold, "macs": millions}
    environment.globals |= {"describe_gain": describe_gain, "find_interval": find_interval}
    return environment.get_template(name)


def write_page(path: Path, text: str) -> None:
    """Write a page.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} must be writable, but: {error.strerror}. Choose another folder.") from error


def millions(macs: float) -> str:
    """Multiply-accumulates in few characters.

    Example:
        >>> millions(125_485_706), millions(416_520)
        ('125.5 M', '416.5 k')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if macs >= size:
            return f"{macs / size:.1f} {unit}"
    return f"{macs:.0f}"


def _swept(sweep: SweepRecord) -> dict[str, Any]:  # Any: jinja reads it
    return {
        "samples": sweep.samples,
        "points": sweep.points,
        "applied": sweep.applied,
        "search": describe_search(sweep),
        "about": describe_losses(sweep),
        "promise": describe_promise(sweep),
        "columns": POINTS,
        "rows": point_rows(sweep),
        "loss_columns": COSTS,
        "loss_rows": loss_rows(sweep),
    }


def _is_slow(result: RunRecord) -> bool:
    """Whether the network alone is surely faster at some batch size, or does no more work."""
    chosen = result.chosen
    slower = any(judge_gain(find_interval(chosen, batch)) == "slower" for batch in chosen.gain)
    return slower or chosen.relative_macs >= 1


def _made(result: RunRecord) -> TimesRecord | None:
    """How the times of the chosen point were measured; older results do not say."""
    same = [one for one in result.times if one.thresholds == result.chosen.thresholds]
    return same[-1] if same and result.chosen.latency_s else None


def _gated(result: RunRecord) -> bool:
    return bool(result.chosen.thresholds)


def _rows(result: RunRecord, evidence: Evidence, samples: Samples) -> list[Any]:  # Any: jinja reads them
    return list(find_rows(evidence, samples, result.chosen.thresholds, result.score, result.model.class_names))


def _by_class(result: RunRecord, evidence: Evidence | None) -> dict[str, Any] | None:  # Any: jinja reads it
    if evidence is None or not _gated(result):
        return None
    shares, names = shares_by_class(evidence, result.chosen.thresholds, result.score, result.model.class_names)
    return {
        "plot": Markup(own_names(plot_exits(shares, names), "classes")),  # made by us
        "names": names,
        "shares": np.round(100 * shares, 1).tolist(),
        "labelled": evidence.labels is not None,
        "hidden": max(0, len(names) - MOST),
    }


def own_names(svg: str, prefix: str) -> str:
    """The SVG with ids of its own, because several share a page."""
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    return re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", svg)
