"""Times a written file, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from offramp import data as offramp_data
from offramp.errors import OptionError
from offramp.measure import gain, latency
from offramp.run import Runtime

CALLS = 500
Batch = Mapping[str, np.ndarray[Any, np.dtype[Any]]]


def load_file(folder: Path, engine: str, threads: int) -> Runtime:
    """The file of a result folder on an engine."""
    if engine == "openvino":
        from offramp.run import openvino

        return openvino.load(folder / "model.onnx", threads=threads)
    if engine == "onnxruntime":
        from offramp.run import onnx

        return onnx.load(folder / "model.onnx", threads=threads)
    raise OptionError(f"--engine must be openvino or onnxruntime, but is {engine!r}.")


def run_bench(folder: Path, *, data: str | None, engine: str, threads: int, batch: int) -> dict[str, Any]:  # Any: JSON
    """Mean, p50 and p95 per call at the chosen thresholds and with nobody leaving, and the gain."""
    if batch < 1:
        raise OptionError(f"--batch must be at least 1, but is {batch}.")
    runtime = load_file(folder, engine, threads)
    nobody = np.array([gate["stop_none"] for gate in runtime.card["gates"]], np.float32)
    batches = _batches(runtime, data, batch)
    times = latency(
        {"nobody leaves": lambda inputs: runtime(inputs, nobody), "chosen": lambda inputs: runtime(inputs)}, batches
    )
    found: dict[str, Any] = {
        name: {"mean": entry.mean_s, "p50": entry.p50_s, "p95": entry.p95_s} for name, entry in times.items()
    }
    return found | {"gain": gain(times["nobody leaves"], times["chosen"]), "batch": batch, "engine": engine, "threads": threads}


def _batches(runtime: Runtime, data: str | None, size: int) -> list[Batch]:
    if data is None:
        generator = np.random.default_rng(0)
        return [
            {
                name: generator.random((size, *port["shape"]), np.float32)
                if "float" in port["dtype"]
                else np.ones((size, *port["shape"]), port["dtype"])
                for name, port in runtime.card["inputs"].items()
            }
            for _ in range(50)
        ]
    samples = offramp_data.load(data, split="test")
    order = np.resize(np.random.default_rng(0).permutation(len(samples)), max(len(samples), size))
    return [samples.take(order[at : at + size]) for at in range(0, len(order) - size + 1, size)][:CALLS]
