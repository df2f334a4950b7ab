"""What it costs that a sample which is not finite never leaves early: the same file with and without the check.

Both files of ResNet-56 with three exits are called in turn in one process, once so that nobody leaves and once so that
everybody does at the first exit, where the check is the largest part of the work. Weights are random: times do not
depend on them.

    python benchmarks/input_check.py            writes benchmarks/results/input_check.json
    python benchmarks/input_check.py --quick    sees in a minute that all runs, writes nothing
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from _side_by_side import Rounds, Row, System, noise, parser_of, ratios, run, span, time_rounds
from numpy.typing import NDArray

from offramp import attach, zoo
from offramp.export import onnx as export_onnx
from offramp.pipeline import Engine

NETWORK = "zoo:resnet56"
ENGINES = ("openvino", "onnxruntime")
LEAVES = {"nobody": "stop_none", "everybody": "stop_all"}
SIZES = (1, 16, 64)
EXITS = 3
SECONDS = 60.0  # on the clock for one file
ROUNDS = 7


def main() -> None:
    parser = parser_of(__doc__, SECONDS)
    parser.add_argument("--network", default=NETWORK)
    options = parser.parse_args()
    run(options, "input_check", lambda folder, seconds: rows_of(options.network, folder, seconds), tell)


def rows_of(network: str, folder: Path, seconds: float) -> Iterator[Row]:
    """A row per engine, batch size and share of samples that leave."""
    files, shape, gates = write_files(network, folder)
    for engine in ENGINES:
        for leaves, extreme in LEAVES.items():
            limits = np.array([gate[extreme] for gate in gates], np.float32)
            systems = {name: bound(Engine(name=engine).load(path), limits) for name, path in files.items()}
            for size in SIZES:
                times, seen = time_rounds(systems, noise(shape, size), Rounds(seconds=seconds, count=ROUNDS))
                yield {
                    "network": network, "engine": engine, "leaves": leaves, "batch": size, "ms": times,
                    "ratio": ratios(seen, "with", "without"),
                }  # fmt: skip


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


def bound(runtime: Any, limits: NDArray[np.float32]) -> System:  # Any: a conditional runtime
    """A runtime that is called with these thresholds."""
    return lambda batch: runtime(batch, limits)


def tell(row: Row) -> str:
    mean = 1000 * row["ms"]["without"]["mean"]
    return (
        f"{row['network']} {row['engine']} batch {row['batch']}, {row['leaves']} leaves: {mean:.3f} ms; with the check "
        f"{span(row['ratio'])} times that"
    )


if __name__ == "__main__":
    main()
