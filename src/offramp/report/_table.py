"""The table of a run: the network alone and with exits, and the promise below it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

from rich.console import Console
from rich.table import Table

from offramp.decide import Guarantee
from offramp.store.record import GoalRecord, GuaranteeRecord, InPrecisionRecord, Latencies, RunRecord, SweepRecord

from ._gain import GainName, describe_gain, find_interval, gains_of
from ._test_loss import describe_test
from ._times import former_times

COLUMNS = ("Acc. %", "Agree %", "Time ms", "Gain", "MACs", "Threshold T", "Exit %")
ENGINES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "torch": "PyTorch"}
LOSSES = {
    "agreement": "of answers change",
    "harm": "of answers turn from right to wrong",
    "net": "of accuracy is lost",
}
MANY = 12  # thresholds beyond which the table shows a few


def draw_table(result: RunRecord, *, width: int = 160) -> str:
    """The table as text.

    Args:
        result: Of a run.
        width: Characters per line at most.
    """
    target = io.StringIO()
    print_table(result, Console(file=target, width=width, color_system=None, highlight=False))
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"


def print_table(result: RunRecord, console: Console) -> None:
    """Print the table on a console."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[5:] else "right", no_wrap=name not in COLUMNS[5:])
    for row in rows(result):
        table.add_row(*row)
    console.print(table)
    for line in _lines(result):
        console.print(line, soft_wrap=True, markup=False)


def draw_html_table(result: RunRecord) -> str:
    """The table as HTML without styles of its own, as notebooks show it."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *COLUMNS))
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows(result))
    below = "<br>".join(map(escape, _lines(result)))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{below}</p>"


def _lines(result: RunRecord) -> tuple[str, ...]:
    """What stands below the table."""
    return (describe_promise(result), *describe_test(result), *former_times(result))


def rows(result: RunRecord) -> list[tuple[str, ...]]:
    """The rows of the table, as text, at batch 1: the network in f32, in the precision of the file, with exits."""
    baseline, chosen = result.baseline, result.chosen
    count = len(chosen.thresholds)
    floating = baseline.float_latency_s  # not those in f32, nor times of a file that holds 8 bits only
    lower = None if result.precision == "f32" else baseline.in_precision  # older results have none
    gain: GainName = "gain_to_float" if chosen.gain_to_float else "gain"
    gains = gains_of(chosen, gain)
    return [
        (
            result.model.reference.replace(":", "/").rstrip("/").rpartition("/")[2],
            percent(baseline.accuracy),
            "100.00",
            _mean(floating or ({} if lower else baseline.latency_s)),
            "1.00x" if floating or not lower else "-",
            "1.000",
            "-",
            "100",
        ),
        *([] if lower is None else [_lower(result, lower)]),
        (
            f"  + {count} exit{'s' if count != 1 else ''}",
            percent(chosen.accuracy),
            percent(chosen.agreement),
            _mean(chosen.latency_s),
            describe_gain(gains[1], find_interval(chosen, 1, gain)) if 1 in gains else "-",
            f"{chosen.relative_macs:.3f}",
            thresholds(chosen.thresholds),
            shares(chosen.exit_rates),
        ),
    ]


def _mean(times: Latencies) -> str:
    """Mean time at batch 1, or a dash."""
    return milliseconds(times[1].mean) if 1 in times else "-"


def _lower(result: RunRecord, quality: InPrecisionRecord) -> tuple[str, ...]:
    """The network alone in the precision of the file."""
    baseline, gain = result.baseline, "1.00x"
    lower, floating = baseline.latency_s, baseline.float_latency_s
    if 1 in lower and 1 in floating:
        gain = describe_gain(floating[1].mean / lower[1].mean, baseline.float_gain_interval.get(1))
    cells = percent(quality.accuracy), percent(quality.agreement)
    name = result.precision.partition("+")[0]  # int8+f32: the network alone is the one in 8 bits
    return f"  in {name}", *cells, _mean(lower), gain, "1.000", "-", "100"


def describe_promise(result: RunRecord | SweepRecord) -> str:
    """The line below the table: what is promised, or why nothing is."""
    if result.guarantee is None:
        return f"promise: none was asked; the point is {_describe_goal(result.goal)}"
    engine = f"{ENGINES.get(result.engine, result.engine)} {result.precision}"
    return f"promise: {describe_guarantee(result.guarantee, engine)}"


def _describe_goal(goal: GoalRecord) -> str:
    """Which point a goal without a promise takes."""
    if goal.name == "knee":
        return "the knee of the tuning samples"
    return f"the best within {goal.budget:g} of the work, judged by the tuning samples"


def describe_guarantee(guarantee: Guarantee | GuaranteeRecord, engine: str | None = None) -> str:
    """What is promised and on how many samples it was proven, or what would help.

    Args:
        guarantee: As it was decided, or as a record holds it.
        engine: Engine and precision that it was proven with, if known.
    """
    bound = f"at most {100 * guarantee.max_loss:.1f} % {LOSSES[guarantee.kind]}"
    what = f"{bound}, {100 * guarantee.confidence:g} % confidence"
    if guarantee.status == "refused":
        return f"refused ({what}); {guarantee.remedy}"
    margin, on = guarantee.margin, "" if engine is None else f", {engine}"
    aim = f", proven for {100 * (1 - margin) * guarantee.max_loss:.3g} %" if margin else ""
    return f"{what} ({guarantee.calibration_samples:,} calibration samples{on}{aim})"


def thresholds(values: Sequence[float]) -> str:
    """Thresholds side by side; of many, the first few; a dash if nobody can leave early."""
    return (" ".join(map(threshold, values[:MANY])) + (" ..." if len(values) > MANY else "")) or "-"


def shares(rates: Sequence[float]) -> str:
    """Exit rates side by side, in whole percent."""
    return " ".join(f"{100 * share:.0f}" for share in rates)


def percent(share: float | None) -> str:
    """A share in percent, or a dash."""
    return "-" if share is None else f"{100 * share:.2f}"


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{1000 * seconds:.3f}"


def threshold(value: float) -> str:
    """A threshold in few characters, as the papers write it.

    Example:
        >>> threshold(0.9712), threshold(0.99987), threshold(2.0)
        ('.971', '.9999', '2')
    """
    digits = 3 if value < 0.999 else 4
    return f"{value:.{digits}g}".removeprefix("0") if 0 < value < 1 else f"{value:.3g}"
