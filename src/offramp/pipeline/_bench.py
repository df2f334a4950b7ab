"""`offramp bench`: the file of a run, timed again on this machine; never loads PyTorch."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from offramp import report
from offramp.errors import DataError, EngineError, OptionError
from offramp.measure import Latency, gain, gain_interval, latency
from offramp.run import Runtime, Samples
from offramp.store._folder import copy_folder
from offramp.store._machine import describe_command, describe_machine, describe_versions

from ._batches import draw_batches, to_json, warm
from ._engine import Engine
from ._predict import known_tokenizer, open_runtime, open_samples
from ._ranges import check_ranges
from ._redraw import redraw
from ._result import verdict
from ._screen import Screen
from ._sweep import Run, open_run, replace_result
from ._times import MADE_BY, add_times, known_times, mark_times, show_times

System = Callable[[Any], Any]  # Any: as measure.latency calls it
FALLBACK = "fallback"  # name of the exit of a network in float behind the same in 8 bits
CHECKED = 64  # samples on which the network alone must answer as the file does
NEAR = 1e-3  # of the largest logit: answers closer than that may change with the order of sums
APART = 0.02  # share of answers that may differ where numbers are rounded elsewhere
RATIOS = {  # name in the result: what is divided by the time of the file with exits
    "gain": "alone", "gain_to_float": "floating", "ratio": "nobody_leaves",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What is asked of a bench.

    Attributes:
        batches: Samples per call, each timed by itself.
        data: Reference to samples; those of the run if None.
        engine: Name of an engine; that of the run if None.
        threads: CPU threads of the engine.
        apply: Write the times to the folder.
    """

    batches: tuple[int, ...] = (1, 64)
    data: str | None = None
    engine: str | None = None
    threads: int = 1
    apply: bool = False

    def __post_init__(self) -> None:
        for batch in self.batches:
            check_ranges(batch=batch)
        check_ranges(threads=self.threads)


def bench(folder: Path, asked: Measurement, screen: Screen) -> dict[str, Any]:  # Any: JSON
    """Time per call with the chosen thresholds, with nobody leaving early, and of the network alone, side by side.

    The network alone is taken out of the file. If the file computes in another precision than f32 the network alone
    is timed in f32 too, unless the file holds it in 8 bits only.

    Args:
        folder: Of a run; without `asked.apply` its model alone is enough, if the data is named.
        asked: What to time.
        screen: Is told if the network alone cannot be had.

    Raises:
        DataError: The folder holds no result, or its samples cannot be found again.
        OptionError: The times of another engine were to be applied.
        EngineError: The engine fails, or the network alone cannot be had and times were to be applied.
        OutputError: The folder cannot be written; then it is as it was.
    """
    run = open_run(folder) if asked.apply else None
    runtime = open_runtime(folder, engine=asked.engine, threads=asked.threads)
    if run is not None and runtime.engine != run.result["engine"]:
        raise OptionError(
            f"apply=True needs the engine of the promise, {run.result['engine']}, but got {runtime.engine}. Drop one.",
            about=["apply=True"],
        )
    samples = open_samples(
        asked.data or _known_data(folder), runtime, tokenizer=known_tokenizer(folder), warn=screen.warn
    )
    with tempfile.TemporaryDirectory() as scratch:
        try:
            alone = dict(load_alone(folder / "model.onnx", runtime, samples, Path(scratch)))
        except EngineError as error:
            if asked.apply:
                raise
            screen.warn(f"the network alone is not timed: {error}")
            alone = {}
        timed = {str(batch): _time(runtime, samples, alone, batch) for batch in asked.batches}
    found = {
        "folder": str(folder),
        "command": describe_command(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "engine": runtime.engine,
        "precision": runtime.precision,
        "threads": runtime.threads,
        "samples": len(samples),
        "batches": timed,
        "applied": run is not None,
    }
    if run is not None:
        apply_times(run, {**found, "data": asked.data}, screen)
    return found


def apply_times(run: Run, found: Mapping[str, Any], screen: Screen) -> dict[str, Any]:  # Any: JSON
    """Put times in result, model card and report of the folder, all at once; gives the new result.

    Args:
        run: What the folder holds.
        found: By `bench`.
        screen: Is told if the pictures of the samples cannot be found again.

    Raises:
        OutputError: The folder cannot be written.
    """
    made = {name: found[name] for name in MADE_BY} | {"precision": run.result["precision"], "data": found["data"]}
    chosen, baseline = _as_result(found)
    newest = mark_times(run.result, made, chosen=chosen, baseline=baseline)
    result = show_times(run.result, add_times(known_times(run.result), newest))
    result["verdict"] = verdict(result)
    work = copy_folder(run.folder)
    try:
        replace_result(work.whole, result)
        redraw(work.whole, result, run.parts["test"], None, screen)
        work.finish()
    finally:
        work.abandon()
    return result


def _as_result(found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:  # Any: JSON
    """The times of the network with exits and of that alone, under the names of a result."""
    rows = found["batches"]

    def column(name: str) -> dict[str, Any]:  # Any: JSON
        return {batch: row[name] for batch, row in rows.items() if row.get(name) is not None}

    to_float = "gain" if found["precision"] == "f32" else "gain_to_float"
    chosen = {
        "latency_s": column("ours"),
        "gain": column("gain"),
        "gain_interval": column("gain_interval"),
        "gain_to_float": column(to_float),
        "gain_to_float_interval": column(f"{to_float}_interval"),
    }
    baseline = {
        "latency_s": column("alone"),
        "float_latency_s": column("floating"),
        "float_gain_interval": column("float_gain_interval"),
    }
    return chosen, baseline


def load_alone(model: Path, runtime: Runtime, samples: Samples, scratch: Path) -> Iterator[tuple[str, System]]:
    """The network alone in the precision of the file, and in f32 if that is another and the file holds it.

    Args:
        model: The file.
        runtime: That runs it.
        samples: On some of them the network must answer as the file with nobody leaving.
        scratch: Folder for what is taken out of the file; needed as long as the networks are.

    Raises:
        EngineError: The file holds no network alone, or that answers otherwise.
    """
    import onnx

    from offramp.run.onnx import network_alone

    whole, exits = onnx.load(model), runtime.card["exits"]
    backed = exits[-1] == FALLBACK
    engine = Engine(name=runtime.engine, precision=runtime.precision, threads=runtime.threads)
    in_float = replace(engine, precision="f32")
    wanted: dict[str, tuple[str | None, Engine]] = {"alone": (exits[-2] if backed else None, engine)}
    if backed or runtime.precision in ("bf16", "f16"):
        wanted["floating"] = (None, in_float)
    given = samples.take(slice(0, min(CHECKED, len(samples))))
    for name, (exit, by) in wanted.items():
        path = scratch / f"{name}.onnx"
        onnx.save(network_alone(whole, exit=exit), path)
        _check_alone(by, path, given, runtime(given, _nobody_leaves(runtime, before=exit)).logits)
        yield name, by.load_static(path)


def _nobody_leaves(runtime: Runtime, *, before: str | None = None) -> NDArray[np.float32]:
    """Thresholds at which everybody answers at the end, or at this exit."""
    last = len(runtime.card["exits"]) - 1 if before is None else runtime.card["exits"].index(before)
    gates = runtime.card["gates"]
    return np.asarray([gate["stop_all" if at >= last else "stop_none"] for at, gate in enumerate(gates)], np.float32)


def _check_alone(engine: Engine, path: Path, given: Mapping[str, NDArray[Any]], wanted: NDArray[np.float32]) -> None:
    """The network alone must answer these samples as the file does.

    Raises:
        EngineError: It does not.
    """
    found = engine.load_dense(path)(given).logits[:, 0]
    best = np.sort(wanted, axis=1)
    sure = best[:, -1] - best[:, -2] > NEAR * np.abs(wanted).max()
    wrong = float((sure & (found.argmax(axis=1) != wanted.argmax(axis=1))).mean())
    if wrong > (0.0 if engine.precision == "f32" else APART):
        raise EngineError(
            f"the network alone must answer as {path.name} does with nobody leaving, but {100 * wrong:.0f} % of its "
            "answers differ. Report this network."
        )


def print_times(found: dict[str, Any]) -> None:  # Any: JSON
    """Print the times as a table, and what they allow to say."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("batch", "ours ms", "p50", "p95", "alone ms", "gain", "nobody leaves ms", "ratio", "Exit %"):
        table.add_column(name, justify="right", no_wrap=True)
    for batch, row in found["batches"].items():
        ours = [f"{1000 * row['ours'][name]:.3f}" for name in ("mean", "p50", "p95")]
        rates = " ".join(f"{100 * share:.0f}" for share in row["exit_rates"])
        everybody = f"{1000 * row['nobody_leaves']['mean']:.3f}"
        alone = f"{1000 * row['alone']['mean']:.3f}" if "alone" in row else "-"
        table.add_row(batch, *ours, alone, _ratio(row, "gain"), everybody, _ratio(row, "ratio"), rates)
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=140)
    console.print(table)
    for line in (*_describe_floats(found), _describe_setting(found)):
        console.print(line, markup=False, soft_wrap=True)


def _describe_floats(found: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    """What is gained over the network alone in f32, if that was timed beside another precision."""
    for batch, row in found["batches"].items():
        if "floating" in row:
            alone = f"{1000 * row['floating']['mean']:.3f} ms"
            yield f"the network alone in f32 takes {alone} at batch {batch}: gain {_ratio(row, 'gain_to_float')}"
    if found["precision"] == "int8" and not any("floating" in row for row in found["batches"].values()):
        yield "the file holds the network in 8 bits only, so that in f32 it is not timed"


def _describe_setting(found: Mapping[str, Any]) -> str:  # Any: JSON
    """Where and with what, and how to read the ratios."""
    threads = "1 thread" if found["threads"] == 1 else f"{found['threads']} threads"
    return (
        f"{found['engine']} {found['precision']}, {threads}, {found['samples']:,} samples, "
        f"{found['machine']['cpu']}; ratios with 95 % intervals: one that holds 1 is no difference"
        f"{'; written to the folder' if found['applied'] else ''}"
    )


def _ratio(row: Mapping[str, Any], name: str) -> str:  # Any: JSON
    return report.describe_gain(row[name], row[f"{name}_interval"]) if name in row else "-"


def _time(runtime: Runtime, samples: Samples, alone: Mapping[str, System], batch: int) -> dict[str, Any]:  # Any: JSON
    full = _nobody_leaves(runtime)
    systems: dict[str, System] = {"ours": runtime, "nobody_leaves": lambda inputs: runtime(inputs, full), **alone}
    drawn, repeats = draw_batches(systems, samples, batch, seed=0)
    warm(runtime, drawn)
    exits = np.concatenate([runtime(drawn[at]).exit for at in range(len(drawn))])
    times = latency(systems, drawn, repeats=repeats)
    shares = np.bincount(exits, minlength=len(runtime.card["exits"])) / len(exits)
    return {
        **{name: to_json(one) for name, one in times.items()},
        **{key: value for name, base in RATIOS.items() if base in times for key, value in _compare(times, name, base)},
        **({"float_gain_interval": gain_interval(times["floating"], times["alone"])} if "floating" in times else {}),
        "exit_rates": shares.tolist(),
    }


def _compare(times: Mapping[str, Latency], name: str, base: str) -> Iterator[tuple[str, Any]]:
    """A ratio to our time, and its interval."""
    interval = gain_interval(times[base], times["ours"])
    yield name, gain(times[base], times["ours"])
    yield f"{name}_interval", None if interval is None else list(interval)


def _known_data(folder: Path) -> str:
    """The data reference of the run."""
    try:
        options = json.loads((folder / "result.json").read_text(encoding="utf-8"))["options"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder} must hold a result.json that names its samples, but does not. Give data.",
            about=["data"],
        ) from error
    return str(options["held_out"] or options["data"])
