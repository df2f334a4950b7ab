"""What the shipped file costs where nothing is gained: no exit was kept, or nobody may leave.

Beside the network alone, in one process: the file of a run that kept no exit, the same file asked for all its outputs
as before its card said the only exit, and a file with exits whose thresholds let nobody leave (a refused promise):
its heads and gates must run. Weights are random: times do not depend on them.

    python benchmarks/no_exit.py            writes benchmarks/results/no_exit.json
    python benchmarks/no_exit.py --quick    sees in a minute that all runs, writes nothing
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from _stamp import stamp

from offramp import attach, measure, zoo
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.pipeline._batches import record_latency
from offramp.pipeline._engine import Engine
from offramp.transform import backbone

NETWORKS = ("zoo:mlp", "zoo:resnet20", "zoo:resnet56")
ENGINES = ("openvino", "onnxruntime")
SIZES = (1, 64)
EXITS = 2
SECONDS = 20.0  # on the clock for one system
ROUNDS = 5  # the ratio is given of each: they tell noise from difference
RESULT = Path(__file__).parent / "results" / "no_exit.json"
System = Callable[[Any], Any]  # Any: as measure.latency calls it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="on the clock for one system")
    parser.add_argument("--quick", action="store_true", help="a few calls of each; the times mean nothing")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.networks:
            for engine in ENGINES:
                systems, shape = load_systems(name, Engine(name=engine), Path(folder))
                for size in SIZES:
                    row = {"network": name, "engine": engine, "batch": size}
                    rows.append(
                        {**row, **time_systems(systems, shape, size, 0.2 if options.quick else options.seconds)}
                    )
                    print(describe(rows[-1]), flush=True)
    if not options.quick:
        RESULT.write_text(json.dumps({**stamp(0), "rows": rows}, indent=1))


def load_systems(name: str, engine: Engine, folder: Path) -> tuple[dict[str, System], tuple[int, ...]]:
    torch.manual_seed(0)
    loaded = zoo.load_model(name)
    plain = attach.exits(loaded.module, loaded.example, count=0)
    gated = attach.exits(loaded.module, loaded.example, count=EXITS)
    traces: export_onnx.Traces = {}

    def save(graph: Graph, file: str, *, dense: bool = False) -> Path:
        return export_onnx.save(graph, folder / f"{file}.onnx", dense=dense, traces=traces)

    shipped = save(plain, "plain")
    systems: dict[str, System] = {
        "alone": engine.load_static(save(backbone(plain), "alone", dense=True)),
        "no exits": engine.load(shipped),
        "no exits, all outputs": engine.load(forget_the_way(shipped, folder / "before.onnx")),
        "nobody leaves": engine.load(save(gated, "gated")),  # without thresholds in its card nobody does
    }
    return systems, plain.inputs[0].outputs[0].shape


def forget_the_way(path: Path, target: Path) -> Path:
    """The same file with a card that does not say the only exit."""
    model = onnx.load(path)
    card = json.loads(model.metadata_props[0].value)
    del card["only_exit"]
    onnx.helper.set_model_props(model, {"offramp": json.dumps(card)})
    onnx.save(model, target)
    return target


def time_systems(systems: dict[str, System], shape: tuple[int, ...], size: int, seconds: float) -> dict[str, Any]:
    """Times of all rounds together, and the ratio to the network alone in each round."""
    generator = np.random.default_rng(size)
    batches = [{"x": generator.random((size, *shape), np.float32)} for _ in range(20)]
    once = max(one.mean_s for one in measure.latency(systems, batches, repeats=1).values())
    repeats = max(1, int(seconds / ROUNDS / len(batches) / once))
    rounds = [measure.latency(systems, batches, repeats=repeats, seed=seed) for seed in range(ROUNDS)]
    return {
        "ms": {name: record_latency(rounds[0][name]).model_dump() for name in systems},
        "ratio": {name: [one[name].mean_s / one["alone"].mean_s for one in rounds] for name in systems},
    }


def describe(row: dict[str, Any]) -> str:
    told = [
        f"{name} {np.mean(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        for name, ratios in row["ratio"].items()
    ]
    mean = 1000 * row["ms"]["alone"]["mean"]
    return (
        f"{row['network']} {row['engine']} batch {row['batch']}: alone {mean:.3f} ms; times that: {', '.join(told[1:])}"
    )


if __name__ == "__main__":
    main()
