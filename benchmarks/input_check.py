"""What it costs that a sample which is not finite never leaves early: the same file with and without the check.

Both files of ResNet-56 with three exits are called in turn in one process, once so that nobody leaves and once so that
everybody does at the first exit, where the check is the largest part of the work. Weights are random: times do not
depend on them.

    python benchmarks/input_check.py            writes benchmarks/results/input_check.json
    python benchmarks/input_check.py --quick    sees in a minute that all runs, writes nothing
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from _stamp import stamp

from offramp import attach, measure, zoo
from offramp.export import onnx as export_onnx
from offramp.pipeline._batches import record_latency
from offramp.pipeline._engine import Engine

NETWORK = "zoo:resnet56"
ENGINES = ("openvino", "onnxruntime")
SIZES = (1, 16, 64)
EXITS = 3
SECONDS = 60.0  # on the clock for one file
ROUNDS = 7  # the ratio is given of each: they tell noise from difference
RESULT = Path(__file__).parent / "results" / "input_check.json"
System = Callable[[Any], Any]  # Any: as measure.latency calls it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default=NETWORK)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="on the clock for one file")
    parser.add_argument("--quick", action="store_true", help="a few calls of each; the times mean nothing")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files, shape, gates = write_files(options.network, Path(folder))
        for engine in ENGINES:
            for leaves in ("nobody", "everybody"):
                limits = np.array([gate["stop_all" if leaves == "everybody" else "stop_none"] for gate in gates])
                systems = {name: at(Engine(name=engine).load(path), limits) for name, path in files.items()}
                for size in SIZES:
                    row = {"network": options.network, "engine": engine, "leaves": leaves, "batch": size}
                    rows.append({**row, **time_files(systems, shape, size, 0.2 if options.quick else options.seconds)})
                    print(describe(rows[-1]), flush=True)
    if not options.quick:
        RESULT.write_text(json.dumps({**stamp(0), "rows": rows}, indent=1))


def write_files(name: str, folder: Path) -> tuple[dict[str, Path], tuple[int, ...], list[dict[str, Any]]]:
    """The file without the check and with it, the shape of a sample, and the gates."""
    torch.manual_seed(0)
    loaded = zoo.load_model(name)
    graph = attach.exits(loaded.module, loaded.example, count=EXITS)
    traces: export_onnx.Traces = {}
    with patch.object(export_onnx, "find_taint", return_value=""):
        without = export_onnx.save(graph, folder / "without.onnx", traces=traces)
    files = {"without": without, "with": export_onnx.save(graph, folder / "with.onnx", traces=traces)}
    return files, graph.inputs[0].outputs[0].shape, export_onnx.describe(graph)["gates"]


def at(runtime: Any, limits: np.ndarray[Any, Any]) -> System:
    """A runtime that is called with these thresholds."""
    return lambda batch: runtime(batch, limits.astype(np.float32))


def time_files(systems: dict[str, System], shape: tuple[int, ...], size: int, seconds: float) -> dict[str, Any]:
    """Times of each file, and the ratio of the file with the check to that without in each round."""
    generator = np.random.default_rng(size)
    batches = [{"x": generator.random((size, *shape), np.float32)} for _ in range(20)]
    once = max(one.mean_s for one in measure.latency(systems, batches, repeats=1).values())
    repeats = max(1, int(seconds / ROUNDS / len(batches) / once))
    rounds = [measure.latency(systems, batches, repeats=repeats, seed=seed) for seed in range(ROUNDS)]
    return {
        "ms": {name: record_latency(rounds[0][name]).model_dump() for name in systems},
        "ratio": [one["with"].mean_s / one["without"].mean_s for one in rounds],
    }


def describe(row: dict[str, Any]) -> str:
    ratios, mean = row["ratio"], 1000 * row["ms"]["without"]["mean"]
    return (
        f"{row['network']} {row['engine']} batch {row['batch']}, {row['leaves']} leaves: {mean:.3f} ms; with the check "
        f"{np.median(ratios):.3f} times that ({min(ratios):.3f} to {max(ratios):.3f})"
    )


if __name__ == "__main__":
    main()
