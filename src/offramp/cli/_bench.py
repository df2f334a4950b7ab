"""`offramp bench`: the file of a run, timed again on this machine; never loads PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from offramp.errors import DataError, OptionError
from offramp.measure import gain, latency
from offramp.run import Runtime, Samples

from ._batches import draw_batches, to_json
from ._machine import describe_command, describe_machine, describe_versions
from ._predict import known_tokenizer, open_runtime, open_samples


def bench(
    folder: Path, *, data: str | None = None, batches: list[int], engine: str | None = None, threads: int = 1
) -> dict[str, Any]:  # Any: JSON
    """Time per call with the chosen thresholds and with nobody leaving early, interleaved, at each batch size.

    Raises:
        DataError: The folder holds no result, or its samples cannot be found again.
        OptionError: A batch size below 1.
    """
    if min(batches) < 1:
        raise OptionError(f"--batch must be 1 or more, but is {min(batches)}. Choose 1 or 64.")
    runtime = open_runtime(folder, engine=engine, threads=threads)
    samples = open_samples(data or _known_data(folder), runtime, tokenizer=known_tokenizer(folder))
    full = np.asarray([gate["stop_none"] for gate in runtime.card["gates"]], np.float32)
    return {
        "folder": str(folder),
        "command": describe_command(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "engine": runtime.engine,
        "precision": runtime.precision,
        "threads": runtime.threads,
        "samples": len(samples),
        "batches": {str(batch): _time(runtime, samples, full, batch) for batch in batches},
    }


def print_times(found: dict[str, Any]) -> None:  # Any: JSON
    """Print the times as a table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("batch", "ours ms", "p50", "p95", "nobody leaves ms", "ratio", "Exit %"):
        table.add_column(name, justify="right")
    for batch, row in found["batches"].items():
        ours = [f"{1000 * row['ours'][name]:.3f}" for name in ("mean", "p50", "p95")]
        rates = " ".join(f"{100 * share:.0f}" for share in row["exit_rates"])
        table.add_row(batch, *ours, f"{1000 * row['nobody_leaves']['mean']:.3f}", f"{row['ratio']:.2f}x", rates)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{found['engine']} {found['precision']}, {found['threads']} threads, {found['samples']:,} samples, "
        f"{found['machine']['cpu']}",
        markup=False,
        soft_wrap=True,
    )


def _time(runtime: Runtime, samples: Samples, full: NDArray[np.float32], batch: int) -> dict[str, Any]:  # Any: JSON
    systems: dict[str, Callable[[Any], Any]] = {"ours": runtime, "nobody_leaves": lambda inputs: runtime(inputs, full)}
    drawn, repeats = draw_batches(systems, samples, batch, seed=0)
    exits = np.concatenate([runtime(drawn[at]).exit for at in range(len(drawn))])  # before the clock: this warms up
    times = latency(systems, drawn, repeats=repeats)
    shares = np.bincount(exits, minlength=len(runtime.card["exits"])) / len(exits)
    return {
        **{name: to_json(one) for name, one in times.items()},
        "ratio": gain(times["nobody_leaves"], times["ours"]),
        "exit_rates": shares.tolist(),
    }


def _known_data(folder: Path) -> str:
    """The data reference of the run."""
    try:
        options = json.loads((folder / "result.json").read_text())["options"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder} must hold a result.json that names its samples, but does not. Give --data."
        ) from error
    return str(options["held_out"] or options["data"])
