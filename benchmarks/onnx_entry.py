"""What it gains that ONNX Runtime folds residual chains wherever they begin: ResNet-56, alone and with exits.

Side by side in one process: the network alone and the file with a student at the input and a late exit
(benchmarks/heads), each as ONNX Runtime takes it by itself ("before") and with a convolution by one where a chain
begins ("after"). With exits, test pictures in their natural mix; thresholds are those of the cheapest point at which at
most 1 % of the answers of 2,000 tuning pictures change, and once those with which nobody leaves.

    python benchmarks/onnx_entry.py --cifar npz:cifar10.npz --weights FOLDER
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _resnet56_heads
import numpy as np
from _frozen import PLANS
from _side_by_side import Batches, Rounds, Row, System, parser_of, ratios, run, span, time_rounds
from numpy.typing import NDArray

from offramp import data, measure, transform, zoo
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.measure.torch import path_costs
from offramp.nn.scores import gate_of
from offramp.run import Samples
from offramp.run import onnx as run_onnx
from offramp.transform import backbone

KEPT = (1, 4)  # of the candidates: a student at the input and a light head late in the network
SCORE = "max_probability"
MAX_LOSS = 0.01
SIZES = (1, 16, 64)
SECONDS = 15.0  # on the clock for one system at one batch size
ROUNDS = 5
WAYS = (("before", False), ("after", True))


def main() -> None:
    parser = parser_of(__doc__, SECONDS)
    parser.add_argument("--cifar", required=True, help="npz:cifar10.npz")
    parser.add_argument("--weights", required=True, help="folder of the public weights")
    options = parser.parse_args()
    loaded = zoo.load_model("zoo:resnet56", weights=Path(options.weights) / PLANS["resnet56"].weights)
    graph = transform.gate_by(transform.keep_exits(_resnet56_heads.load(loaded), KEPT), SCORE)
    tune, test = data.split(data.load(f"{options.cifar}@test"), (0.2, 0.8), 0)
    run(options, "onnx_entry", lambda folder, seconds: rows_of(graph, tune, test, folder, seconds), tell)


def rows_of(graph: Graph, tune: Samples, test: Samples, folder: Path, seconds: float) -> Iterator[Row]:
    """A row per batch size and network: alone, with the promised thresholds, with those that let nobody leave."""
    traces: export_onnx.Traces = {}
    dense = export_onnx.save(graph, folder / "dense.onnx", dense=True, traces=traces)
    alone = export_onnx.save(backbone(graph), folder / "alone.onnx", dense=True, traces=traces)
    model = export_onnx.save(graph, folder / "model.onnx", traces=traces)
    point = choose(graph, dense, tune)
    limits = {
        "promised": np.asarray(point.thresholds, np.float32),
        "nobody": np.asarray([gate["stop_none"] for gate in export_onnx.describe(graph)["gates"]], np.float32),
    }
    tuned = {"thresholds": list(point.thresholds), "relative_macs": point.relative_macs, "agreement": point.agreement}
    files: dict[str, System] = {name: run_onnx.load_dense(alone, fusible=made) for name, made in WAYS}
    exits = {name: run_onnx.load(model, fusible=made) for name, made in WAYS}
    for size in SIZES:
        batches, rounds = draw(test, size), Rounds(seconds=seconds, count=ROUNDS)
        yield {"network": "alone", "batch": size, **compare(files, batches, rounds)}
        for leaves, at in limits.items():
            systems = {name: bound(one, at) for name, one in exits.items()}
            row = {"network": "with exits", "leaves": leaves, "batch": size, **(tuned if leaves == "promised" else {})}
            yield {**row, **compare(systems, batches, rounds)}


def choose(graph: Graph, dense: Path, tune: Samples) -> measure.OperatingPoint:
    """The cheapest point at which few enough answers of the tuning pictures change."""
    body = next(graph.bodies[node.name] for node in graph.nodes if node.role == "score")
    gates = {SCORE: gate_of(body)}
    seen = measure.evidence(run_onnx.load_dense(dense), tune, gates=gates)
    drawn = measure.frontier(seen, path_costs(graph), score=SCORE)
    return min((one for one in drawn.points if 1 - one.agreement <= MAX_LOSS), key=lambda one: one.relative_macs)


def bound(runtime: Any, limits: NDArray[np.float32]) -> System:  # Any: a conditional runtime
    """A runtime that is called with these thresholds."""
    return lambda batch: runtime(batch, limits)


def draw(test: Samples, size: int) -> Batches:
    """Shuffled test pictures in batches."""
    order = np.random.default_rng(size).permutation(len(test))
    count = max(10, min(400, len(test) // size)) if size < 64 else 40
    return [test.take(order[at * size : (at + 1) * size]) for at in range(count)]


def compare(systems: dict[str, System], batches: Batches, rounds: Rounds) -> Row:
    """Times before and after, and the ratio in each round."""
    times, seen = time_rounds(systems, batches, rounds)
    return {"ms": times, "ratio": ratios(seen, "before", "after")}


def tell(row: Row) -> str:
    before, after = (1000 * row["ms"][name]["mean"] for name in ("before", "after"))
    return (
        f"{row['network']}, {row.get('leaves', '')} batch {row['batch']}: {before:.3f} -> {after:.3f} ms, "
        f"{span(row['ratio'])} times as fast"
    )


if __name__ == "__main__":
    main()
