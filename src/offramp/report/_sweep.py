"""What a sweep found: the points of the curve, and what each acceptable loss would cost."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from offramp.store.record import PointRecord, SweepRecord

from ._table import describe_promise, percent, shares, thresholds
from ._test_loss import describe_test

POINTS = ("Acc. %", "Agree %", "MACs", "Threshold T", "Exit %")
COSTS = ("Loss %", "Promise", "Lost %", *POINTS)
LOST = {
    "agreement": "a loss is an answer that changes",
    "harm": "a loss is an answer that turns from right to wrong",
    "net": "the loss is that of accuracy",
}
SHOWN = 16  # points in the table


def print_sweep(sweep: SweepRecord, console: Console) -> None:
    """Print both tables and what was chosen on a console."""
    samples = sweep.samples
    console.print(f"{describe_search(sweep)}, on {samples.tune:,} tuning samples", markup=False, soft_wrap=True)
    _print_table(("", *POINTS), [(mark, *row) for mark, row in point_rows(sweep)], console)
    console.print(f"\nwhat each loss would cost: {describe_losses(sweep)}", markup=False, soft_wrap=True)
    _print_table(COSTS, loss_rows(sweep), console)
    console.print()
    chosen = sweep.chosen
    agreement, macs = percent(chosen.agreement), f"{chosen.relative_macs:.3f}"
    console.print(
        f"chosen: T {thresholds(chosen.thresholds)}; on {samples.test:,} test samples {agreement} % agreement at "
        f"{macs} of the work",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    for line in (describe_promise(sweep), *describe_test(sweep)):
        console.print(line, markup=False, soft_wrap=True)


def describe_search(sweep: SweepRecord) -> str:
    """How the curve was drawn, and how many points it has."""
    kinds = {"frontier": "frontier search", "screening": "screening"}
    return f"{kinds[sweep.search.name]} by {sweep.score}: {len(sweep.points)} points"


def describe_losses(sweep: SweepRecord) -> str:
    """What the table of losses is about."""
    samples, confidence = sweep.samples, f"{100 * sweep.confidence:g} % confidence"
    return (
        f"{LOST[sweep.kind]}, {confidence}, proven on {samples.calibrate:,} "
        f"calibration samples, measured on {samples.test:,} test samples; each row holds by itself, not all at once"
    )


def point_rows(sweep: SweepRecord) -> list[tuple[str, tuple[str, ...]]]:
    """At most SHOWN points of the curve as text, the knee and the ends among them, each with its mark."""
    points, knee = sweep.points, sweep.knee
    places = set(np.linspace(0, len(points) - 1, min(SHOWN, len(points))).round().astype(int).tolist())
    places |= set() if knee is None else {knee}
    return [("knee" if place == knee else "", _cells(points[place])) for place in sorted(places)]


def loss_rows(sweep: SweepRecord) -> list[tuple[str, ...]]:
    """One row per acceptable loss, as text; dashes where nothing can be promised."""
    rows = []
    for one in sweep.losses:
        loss = f"{100 * one.max_loss:g}"
        if one.status == "certified":
            rows.append((loss, "certified", percent(one.test_loss), *_cells(one)))
        else:
            rows.append((loss, "refused", *["-"] * (len(COSTS) - 2)))
    return rows


def _cells(point: PointRecord) -> tuple[str, ...]:
    return (
        percent(point.accuracy),
        percent(point.agreement),
        f"{point.relative_macs:.3f}",
        thresholds(point.thresholds),
        shares(point.exit_rates),
    )


def _print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]], console: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        left = name in ("", "Promise", "Threshold T", "Exit %")
        table.add_column(name, justify="left" if left else "right", no_wrap=name not in ("Threshold T", "Exit %"))
    for row in rows:
        table.add_row(*row)
    console.print(table)
