"""The table of a run: the network alone and with exits, and the promise below it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ._gain import describe_gain, find_interval
from ._test_loss import describe_test
from ._times import former_times

Result = Mapping[str, Any]  # Any: JSON, as `result.json` holds it
COLUMNS = ("Acc. %", "Agree %", "Time ms", "Gain", "MACs", "Threshold T", "Exit %")
ENGINES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "torch": "PyTorch"}
LOSSES = {
    "agreement": "of answers change",
    "harm": "of answers turn from right to wrong",
    "net": "of accuracy is lost",
}
MANY = 12  # thresholds beyond which the table shows a few


def draw_table(result: Result, *, width: int = 160) -> str:
    """The table as text.

    Args:
        result: Of a run.
        width: Characters per line at most.
    """
    target = io.StringIO()
    print_table(result, Console(file=target, width=width, color_system=None, highlight=False))
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"


def print_table(result: Result, console: Console) -> None:
    """Print the table on a console."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[5:] else "right", no_wrap=name not in COLUMNS[5:])
    for row in rows(result):
        table.add_row(*row)
    console.print(table)
    for line in (describe_promise(result), *describe_test(result), *former_times(result)):
        console.print(line, soft_wrap=True, markup=False)


def rows(result: Result) -> list[tuple[str, ...]]:
    """The rows of the table, as text, at batch 1: the network in f32, in the precision of the file, with exits."""
    baseline, chosen = result["baseline"], result["chosen"]
    count = len(chosen["thresholds"])
    floating = baseline.get("float_latency_s")  # not those in f32, nor times of a file that holds 8 bits only
    lower = result["precision"] != "f32" and "in_precision" in baseline  # older results have none
    gain = "gain_to_float" if chosen.get("gain_to_float") else "gain"
    return [
        (
            result["model"]["reference"].replace(":", "/").rstrip("/").rpartition("/")[2],
            percent(baseline["accuracy"]),
            "100.00",
            _mean(floating or ({} if lower else baseline["latency_s"])),
            "1.00x" if floating or not lower else "-",
            "1.000",
            "-",
            "100",
        ),
        *([_lower(result)] if lower else []),
        (
            f"  + {count} exit{'s' if count != 1 else ''}",
            percent(chosen["accuracy"]),
            percent(chosen["agreement"]),
            _mean(chosen["latency_s"]),
            describe_gain(chosen[gain]["1"], find_interval(chosen, "1", gain)) if "1" in chosen[gain] else "-",
            f"{chosen['relative_macs']:.3f}",
            thresholds(chosen["thresholds"]),
            shares(chosen["exit_rates"]),
        ),
    ]


def _mean(times: Mapping[str, Mapping[str, float]]) -> str:
    """Mean time at batch 1, or a dash."""
    return milliseconds(times["1"]["mean"]) if "1" in times else "-"


def _lower(result: Result) -> tuple[str, ...]:
    """The network alone in the precision of the file."""
    baseline, gain = result["baseline"], "1.00x"
    lower, floating = baseline["latency_s"], baseline.get("float_latency_s", {})
    if "1" in lower and "1" in floating:
        found = baseline.get("float_gain_interval", {}).get("1")  # older results have none
        gain = describe_gain(floating["1"]["mean"] / lower["1"]["mean"], found)
    quality = [percent(baseline["in_precision"][name]) for name in ("accuracy", "agreement")]
    name = result["precision"].partition("+")[0]  # int8+f32: the network alone is the one in 8 bits
    return f"  in {name}", *quality, _mean(lower), gain, "1.000", "-", "100"


def describe_promise(result: Result) -> str:
    """The line below the table: what is promised, or why nothing is.

    Example:
        >>> describe_promise({"guarantee": None, "goal": {"name": "knee"}})
        'promise: none was asked; the point is the knee of the tuning samples'
    """
    guarantee = result["guarantee"]
    if guarantee is None:
        goal = result["goal"]
        where = "the knee" if goal["name"] == "knee" else f"the best within {goal['budget']:g} of the work, judged by"
        return (
            f"promise: none was asked; the point is {where} {'of ' if goal['name'] == 'knee' else ''}the tuning samples"
        )
    engine = f"{ENGINES.get(result['engine'], result['engine'])} {result['precision']}"
    return f"promise: {describe_guarantee(guarantee, engine)}"


def describe_guarantee(guarantee: Mapping[str, Any], engine: str | None = None) -> str:  # Any: JSON
    """What is promised and on how many samples it was proven, or what would help.

    Args:
        guarantee: The fields of a `decide.Guarantee`.
        engine: Engine and precision that it was proven with, if known.
    """
    bound = f"at most {100 * guarantee['max_loss']:.1f} % {LOSSES[guarantee['kind']]}"
    what = f"{bound}, {100 * guarantee['confidence']:g} % confidence"
    if guarantee["status"] == "refused":
        return f"refused ({what}); {guarantee['remedy']}"
    margin, on = guarantee.get("margin"), "" if engine is None else f", {engine}"  # older results have no margin
    aim = f", proven for {100 * (1 - margin) * guarantee['max_loss']:.3g} %" if margin else ""
    return f"{what} ({guarantee['calibration_samples']:,} calibration samples{on}{aim})"


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
