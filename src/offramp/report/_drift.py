"""What a check for drift found: who leaves where, then and now, and what became of the promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from offramp.errors import OptionError, OutputError
from offramp.store.record import CheckedLossRecord, CheckRecord

from ._plot import CHOSEN, LINE, STYLE
from ._table import LOSSES, percent

COLUMNS = ("", "Expected %", "New %", "Change", "Scores p")
PICTURES = (".png", ".svg", ".pdf")


def print_drift(check: CheckRecord, console: Console) -> None:
    """Print the table and the verdict on a console."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for row in drift_rows(check):
        table.add_row(*row)
    console.print(table)
    for line in (*describe_check(check), *check.verdict):
        console.print(line, markup=False, soft_wrap=True)
    console.print("ALARM" if check.alarm else "no alarm", style="bold red" if check.alarm else "bold green")


def judge_check(check: CheckRecord) -> tuple[str, str]:
    """A sentence for each of the two questions of a check: do the samples look different, and does the promise stand?

    Args:
        check: Whose `verdict` need not be there.
    """
    return _judge_shift(check), _judge_loss(check.loss)


def _judge_shift(check: CheckRecord) -> str:
    if not check.shifted:
        return "The new samples look like the calibration samples."
    change = f"exit rates change by up to {100 * check.change:.1f} points" if check.change >= 5e-4 else "scores do"
    told = f"The new samples look different: {change}."
    if check.loss.verdict == "stands":
        return f"{told} The promise was proven again on them nevertheless."
    return told


def _judge_loss(loss: CheckedLossRecord) -> str:
    if loss.promised_kind is None or loss.max_loss is None:
        return f"Nothing was promised: {loss.remedy}."
    promise = f"at most {100 * loss.max_loss:g} % {LOSSES[loss.promised_kind]}"
    stand_in = " (without labels, answers that change were counted: never fewer)" if loss.is_stand_in else ""
    if loss.verdict == "stands":
        return f"The promise stands: {promise}{stand_in}."
    if loss.verdict == "broken":
        return f"The promise is broken: {promise}, but here more. To repair it, {loss.remedy}."
    return f"The promise ({promise}) is neither refuted nor proven again{stand_in}: {loss.remedy}."


def drift_rows(check: CheckRecord) -> list[tuple[str, ...]]:
    """One row per exit and one for the work, as text."""
    rows = []
    for one in check.exits:
        p = "" if one.scores_p is None else p_text(one.scores_p)
        change = f"{100 * (one.rate - one.expected_rate):+.1f}"
        rows.append((one.name, f"{100 * one.expected_rate:.1f}", f"{100 * one.rate:.1f}", change, p))
    work = check.relative_macs
    change = f"{100 * (work.new - work.expected):+.1f}"
    return [*rows, ("work (MACs)", f"{100 * work.expected:.1f}", f"{100 * work.new:.1f}", change, "")]


def describe_check(check: CheckRecord) -> list[str]:
    """What was compared and counted, in two lines or three."""
    samples, loss, right = check.samples, check.loss, check.accuracy
    engine = f"{check.engine} {check.precision}"
    low, high = loss.interval
    lines = [
        f"{samples.new:,} new samples against {samples.expected:,} calibration samples: p-value "
        f"{p_text(check.p_value)}, of exit rates alone {p_text(check.exits_p)} (alarm up to {check.alpha:g})",
        f"{samples.to_the_end:,} of them run to the end: {percent(loss.mean)} % {LOSSES[loss.kind]}, between "
        f"{percent(low)} and {percent(high)} % with {100 * loss.confidence:g} % confidence ({engine})",
    ]
    if right is not None:
        lines.append(f"accuracy there: {percent(right.ours)} %; nobody leaving early {percent(right.final)} %")
    return lines


def draw_drift(check: CheckRecord, path: str | Path) -> None:
    """Draw exit rates side by side, and the limits of the loss beside the promise.

    Args:
        check: What a check found.
        path: Of the picture; its ending says the format.

    Raises:
        OptionError: The ending is none of PICTURES.
        OutputError: The picture cannot be written.
    """
    path = Path(path)
    check_picture(path)
    with rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        rates, loss = figure.subplots(1, 2, width_ratios=(2.4, 1))
        _plot_rates(rates, check)
        _plot_loss(loss, check)
        figure.suptitle(("ALARM. " if check.alarm else "") + "\n".join(check.verdict), fontsize=9, wrap=True)
    try:
        with rc_context(STYLE):
            figure.savefig(path, dpi=130)
    except OSError as error:
        raise OutputError(f"{path} must be writable, but: {error.strerror}. Choose another file.") from error


def check_picture(path: Path) -> None:
    """Refuse a picture that could not be drawn, before there is anything to draw.

    Raises:
        OptionError: The ending is none of PICTURES.
    """
    if path.suffix not in PICTURES:
        raise OptionError(f"a picture must end in {', '.join(PICTURES)}, but is {path.name}. Rename it.")


def p_text(p: float) -> str:
    """A p-value in few characters.

    Example:
        >>> p_text(0.4671), p_text(0.0038), p_text(1e-30)
        ('0.47', '0.0038', 'at most 0.0001')
    """
    return "at most 0.0001" if p <= 1e-4 else f"{p:.2g}"


def _plot_rates(axes: Axes, check: CheckRecord) -> None:
    places = np.arange(len(check.exits))
    before, now = [100 * one.expected_rate for one in check.exits], [100 * one.rate for one in check.exits]
    for shift, heights, color, label in ((-0.2, before, LINE, "expected"), (0.2, now, CHOSEN, "new")):
        axes.bar_label(axes.bar(places + shift, heights, 0.38, color=color, label=label), fmt="%.0f", fontsize=8)
    axes.set_xticks(places, [one.name for one in check.exits])
    axes.set_ylabel("samples that leave here, %")
    axes.margins(y=0.12)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _plot_loss(axes: Axes, check: CheckRecord) -> None:
    loss = check.loss
    low, high = (100 * limit for limit in loss.interval)
    mean = 100 * loss.mean
    axes.errorbar([0], [mean], [[mean - low], [high - mean]], fmt="o", color=CHOSEN, capsize=6, label="new")
    if loss.max_loss is not None:
        accepted = 100 * loss.max_loss
        axes.axhline(accepted, color=LINE, linestyle="--", label=f"promised: at most {accepted:g}")
    axes.set_xlim(-1, 1)
    axes.set_xticks([])
    highest = max(high, 100 * (loss.max_loss or 0))
    axes.set_ylim(min(0, 1.2 * low), 1.45 * highest)  # with room for the legend
    axes.set_ylabel(f"{LOSSES[loss.kind].removeprefix('of ')}, %")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
