"""The table of a run: the network alone and with exits, and the promise below it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

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
    console.print(describe_promise(result), soft_wrap=True, markup=False)


def rows(result: Result) -> list[tuple[str, ...]]:
    """The rows of the table, as text, at batch 1: the network in f32, in the precision of the file, with exits."""
    baseline, chosen = result["baseline"], result["chosen"]
    count = len(chosen["thresholds"])
    floating = baseline.get("float_latency_s")  # results in f32, and older ones, have none
    gain = chosen.get("gain_to_float") or chosen["gain"]
    return [
        (
            result["model"]["reference"].replace(":", "/").rstrip("/").rpartition("/")[2],
            percent(baseline["accuracy"]),
            "100.00",
            milliseconds((floating or baseline["latency_s"])["1"]["mean"]),
            "1.00x",
            "1.000",
            "-",
            "100",
        ),
        *([_lower(result)] if floating else []),
        (
            f"  + {count} exit{'s' if count != 1 else ''}",
            percent(chosen["accuracy"]),
            percent(chosen["agreement"]),
            milliseconds(chosen["latency_s"]["1"]["mean"]) if chosen["latency_s"] else "-",
            f"{gain['1']:.2f}x" if gain else "-",
            f"{chosen['relative_macs']:.3f}",
            thresholds(chosen["thresholds"]),
            shares(chosen["exit_rates"]),
        ),
    ]


def _lower(result: Result) -> tuple[str, ...]:
    """The network alone in the precision of the file."""
    baseline = result["baseline"]
    lower, floating = (baseline[name]["1"]["mean"] for name in ("latency_s", "float_latency_s"))
    quality = [percent(baseline["in_precision"][name]) for name in ("accuracy", "agreement")]
    name = result["precision"].partition("+")[0]  # int8+f32: the network alone is the one in 8 bits
    return f"  in {name}", *quality, milliseconds(lower), f"{floating / lower:.2f}x", "1.000", "-", "100"


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
    return f"{what} ({guarantee['calibration_samples']:,} calibration samples{'' if engine is None else f', {engine}'})"


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
