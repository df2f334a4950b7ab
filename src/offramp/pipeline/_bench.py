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

from offramp import report
from offramp.data import Given
from offramp.errors import DataError, EngineError, OptionError
from offramp.measure import Latency, gain, gain_interval, latency
from offramp.run import Runtime, Samples
from offramp.store._machine import describe_command, describe_machine, describe_versions
from offramp.store.record import GIVEN, AloneTimes, BatchRecord, BenchRecord, MachineRecord, PointTimes, RunRecord

from ._apply import apply_times
from ._batches import draw_batches, record_latency, warm
from ._engine import Engine
from ._opened import Opened
from ._predict import known_tokenizer, name_of, open_runtime, open_samples
from ._ranges import check_ranges
from ._screen import Screen
from ._times import add_times, mark_times, show_times

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
        data: Samples, or a reference to them; those of the run if None.
        engine: Name of an engine; that of the run if None.
        threads: CPU threads of the engine.
        apply: Write the times to the folder.
    """

    batches: tuple[int, ...] = (1, 64)
    data: Given | None = None
    engine: str | None = None
    threads: int = 1
    apply: bool = False

    def __post_init__(self) -> None:
        for batch in self.batches:
            check_ranges(batch=batch)
        check_ranges(threads=self.threads)


def bench(folder: Path, asked: Measurement, screen: Screen, *, opened: Opened | None = None) -> BenchRecord:
    """Time per call with the chosen thresholds, with nobody leaving early, and of the network alone, side by side.

    The network alone is taken out of the file. If the file computes in another precision than f32 the network alone
    is timed in f32 too, unless the file holds it in 8 bits only.

    Args:
        folder: Of a run; its model alone is enough, if the data is named and nothing is applied.
        asked: What to time.
        screen: Is told if the network alone cannot be had.
        opened: The same folder as it was read; `asked.apply` needs it.

    Raises:
        DataError: The folder holds no result, or its samples cannot be found again.
        OptionError: The times of another engine were to be applied.
        EngineError: The engine fails, or the network alone cannot be had and times were to be applied.
        OutputError: The folder cannot be written; then it is as it was.
    """
    runtime = open_runtime(folder, engine=asked.engine, threads=asked.threads)
    if asked.apply and opened is not None:
        _check_engine(opened.record, runtime)
    given = asked.data or _known_data(folder)
    samples = open_samples(given, runtime, tokenizer=known_tokenizer(folder), warn=screen.warn)
    found = BenchRecord(
        folder=str(folder),
        command=describe_command(),
        machine=MachineRecord.model_validate(describe_machine()),
        versions=describe_versions(),
        engine=runtime.engine,
        precision=runtime.precision,
        threads=runtime.threads,
        samples=len(samples),
        data=None if asked.data is None else name_of(asked.data),
        batches=_time_all(folder / "model.onnx", runtime, samples, asked, screen),
        applied=asked.apply,
    )
    if asked.apply and opened is not None:
        apply_times(opened, _with_times(opened.record, found), screen)
    return found


def _check_engine(record: RunRecord, runtime: Runtime) -> None:
    """Refuse to apply times of another engine than that of the promise.

    Raises:
        OptionError: It is another.
    """
    if runtime.engine != record.engine:
        raise OptionError(
            f"apply=True needs the engine of the promise, {record.engine}, but got {runtime.engine}. Drop one.",
            about=["apply=True"],
        )


def _time_all(
    model: Path, runtime: Runtime, samples: Samples, asked: Measurement, screen: Screen
) -> dict[int, BatchRecord]:
    """What was timed at each batch size."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            alone = dict(load_alone(model, runtime, samples, Path(scratch)))
        except EngineError as error:
            if asked.apply:
                raise
            screen.warn(f"the network alone is not timed: {error}")
            alone = {}
        return {batch: _time(runtime, samples, alone, batch) for batch in asked.batches}


def _with_times(record: RunRecord, found: BenchRecord) -> RunRecord:
    """The record with these times at its point."""
    chosen, baseline = _as_times(found)
    newest = mark_times(record, found, chosen=chosen, baseline=baseline, data=found.data)
    return report.with_verdict(show_times(record, add_times(record.times, newest)))


def _as_times(found: BenchRecord) -> tuple[PointTimes, AloneTimes]:
    """The times of the network with exits and of that alone, under the names of a run."""
    rows = found.batches

    def column(name: str) -> dict[int, Any]:  # Any: as the field of this name is typed
        return {batch: getattr(row, name) for batch, row in rows.items() if getattr(row, name) is not None}

    to_float = "gain" if found.precision == "f32" else "gain_to_float"
    chosen = PointTimes(
        latency_s=column("ours"),
        gain=column("gain"),
        gain_interval=column("gain_interval"),
        gain_to_float=column(to_float),
        gain_to_float_interval=column(f"{to_float}_interval"),
    )
    baseline = AloneTimes(
        latency_s=column("alone"),
        float_latency_s=column("floating"),
        float_gain_interval=column("float_gain_interval"),
    )
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


def _time(runtime: Runtime, samples: Samples, alone: Mapping[str, System], batch: int) -> BatchRecord:
    full = _nobody_leaves(runtime)
    systems: dict[str, System] = {"ours": runtime, "nobody_leaves": lambda inputs: runtime(inputs, full), **alone}
    drawn, repeats = draw_batches(systems, samples, batch, seed=0)
    warm(runtime, drawn)
    exits = np.concatenate([runtime(drawn[at]).exit for at in range(len(drawn))])
    times = latency(systems, drawn, repeats=repeats)
    shares = np.bincount(exits, minlength=len(runtime.card["exits"])) / len(exits)
    ratios = [_compare(times, name, base) for name, base in RATIOS.items() if base in times]
    in_float = {"float_gain_interval": gain_interval(times["floating"], times["alone"])} if "floating" in times else {}
    return BatchRecord.model_validate(
        {name: record_latency(one) for name, one in times.items()}
        | {key: value for ratio in ratios for key, value in ratio.items()}
        | in_float
        | {"exit_rates": shares.tolist()}
    )


def _compare(times: Mapping[str, Latency], name: str, base: str) -> dict[str, float | tuple[float, float] | None]:
    """A ratio to our time, and its interval."""
    return {
        name: gain(times[base], times["ours"]),
        f"{name}_interval": gain_interval(times[base], times["ours"]),
    }


def _known_data(folder: Path) -> str:
    """The data reference of the run."""
    try:
        options = json.loads((folder / "result.json").read_text(encoding="utf-8"))["options"]
        found = str(options["held_out"] or options["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_data(folder) from error
    if found.startswith(GIVEN):
        raise _no_data(folder)
    return found


def _no_data(folder: Path) -> DataError:
    return DataError(
        f"{folder} must hold a result.json that names its samples, but does not. Give data.", about=["data"]
    )
