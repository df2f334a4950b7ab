"""What it gains that ONNX Runtime folds residual chains wherever they begin: ResNet-56, alone and with exits.

Side by side in one process: the network alone and the file with a student at the input and a late exit
(benchmarks/heads), each as ONNX Runtime takes it by itself ("before") and with a convolution by one where a chain
begins ("after"). With exits, test pictures in their natural mix; thresholds are those of the cheapest point at which at
most 1 % of the answers of 2,000 tuning pictures change, and once those with which nobody leaves.

    python benchmarks/onnx_entry.py --cifar npz:cifar10.npz --weights FOLDER
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pteenet
import resnet56_heads
from _stamp import stamp

from offramp import data, measure, transform, zoo
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.measure.torch import path_costs
from offramp.nn.scores import gate_of
from offramp.pipeline._batches import record_latency
from offramp.run import Samples
from offramp.run import onnx as run_onnx
from offramp.transform import backbone

KEPT = (1, 4)  # of the candidates: a student at the input and a light head late in the network
SCORE = "max_probability"
MAX_LOSS = 0.01
SIZES = (1, 16, 64)
ROUNDS = 5  # the ratio is given of each: they tell noise from difference
RESULT = Path(__file__).parent / "results" / "onnx_entry.json"
System = Callable[[Any], Any]  # Any: as measure.latency calls it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", required=True, help="npz:cifar10.npz")
    parser.add_argument("--weights", required=True, help="folder of the public weights")
    parser.add_argument("--seconds", type=float, default=15.0, help="on the clock for one system at one batch size")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    loaded = zoo.load_model("zoo:resnet56", weights=Path(options.weights) / pteenet.PLANS["resnet56"].weights)
    graph = transform.gate_by(transform.keep_exits(resnet56_heads.load(loaded), KEPT), SCORE)
    samples = data.load(f"{options.cifar}@test")
    tune, test = data.split(samples, (0.2, 0.8), 0)
    with tempfile.TemporaryDirectory() as folder:
        rows = list(time_all(graph, tune, test, Path(folder), options.seconds))
    options.out.write_text(json.dumps({**stamp(0), "rows": rows}, indent=1))


def time_all(graph: Graph, tune: Samples, test: Samples, folder: Path, seconds: float) -> Any:  # Any: JSON, row by row
    traces: export_onnx.Traces = {}
    dense = export_onnx.save(graph, folder / "dense.onnx", dense=True, traces=traces)
    alone = export_onnx.save(backbone(graph), folder / "alone.onnx", dense=True, traces=traces)
    model = export_onnx.save(graph, folder / "model.onnx", traces=traces)
    point = choose(graph, dense, tune)
    limits = {
        "promised": np.asarray(point.thresholds, np.float32),
        "nobody": np.asarray([gate["stop_none"] for gate in export_onnx.describe(graph)["gates"]], np.float32),
    }
    files = {name: run_onnx.load_dense(alone, fusible=made) for name, made in (("before", False), ("after", True))}
    exits = {name: run_onnx.load(model, fusible=made) for name, made in (("before", False), ("after", True))}
    for size in SIZES:
        yield from shown({"network": "alone", "batch": size, **time_pair(dict(files), test, size, seconds)})
        for leaves, at in limits.items():
            systems: dict[str, System] = {name: with_limits(one, at) for name, one in exits.items()}
            row = {"network": "with exits", "leaves": leaves, "batch": size}
            tuned = {"thresholds": at.tolist(), "relative_macs": point.relative_macs, "agreement": point.agreement}
            yield from shown(
                {**row, **(tuned if leaves == "promised" else {}), **time_pair(systems, test, size, seconds)}
            )


def choose(graph: Graph, dense: Path, tune: Samples) -> measure.OperatingPoint:
    """The cheapest point at which few enough answers of the tuning pictures change."""
    body = next(graph.bodies[node.name] for node in graph.nodes if node.role == "score")
    gates = {SCORE: gate_of(body)}
    seen = measure.evidence(run_onnx.load_dense(dense), tune, gates=gates)
    drawn = measure.frontier(seen, path_costs(graph), score=SCORE)
    return min((one for one in drawn.points if 1 - one.agreement <= MAX_LOSS), key=lambda one: one.relative_macs)


def with_limits(runtime: Any, limits: np.ndarray[Any, Any]) -> System:  # Any: a runtime
    return lambda batch: runtime(batch, limits)


def time_pair(systems: dict[str, System], test: Samples, size: int, seconds: float) -> dict[str, Any]:
    """Times before and after, and the ratio in each round, over shuffled test pictures."""
    order = np.random.default_rng(size).permutation(len(test))
    count = max(10, min(400, len(test) // size)) if size < 64 else 40
    batches = [test.take(order[at * size : (at + 1) * size]) for at in range(count)]
    once = max(one.mean_s for one in measure.latency(systems, batches[:5], repeats=1).values())
    repeats = max(1, round(seconds / ROUNDS / count / once))
    rounds = [measure.latency(systems, batches, repeats=repeats, seed=seed) for seed in range(ROUNDS)]
    return {
        "ms": {name: record_latency(rounds[0][name]).model_dump() for name in systems},
        "ratio": [one["before"].mean_s / one["after"].mean_s for one in rounds],
    }


def shown(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The row, printed."""
    before, after = (1000 * row["ms"][name]["mean"] for name in ("before", "after"))
    print(
        f"{row['network']}, {row.get('leaves', '')} batch {row['batch']}: {before:.3f} -> {after:.3f} ms, "
        f"{np.median(row['ratio']):.3f} times as fast ({min(row['ratio']):.3f} to {max(row['ratio']):.3f})",
        flush=True,
    )
    return [row]


if __name__ == "__main__":
    main()
