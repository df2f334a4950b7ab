"""What the shipped file costs where nothing is gained: no exit was kept, or nobody may leave.

Beside the network alone, in one process: the file of a run that kept no exit, the same file asked for all its outputs
as before its card said the only exit, and a file with exits whose thresholds let nobody leave (a refused promise):
its heads and gates must run. Weights are random: times do not depend on them.

    python benchmarks/no_exit.py            writes benchmarks/results/no_exit.json
    python benchmarks/no_exit.py --quick    sees in a minute that all runs, writes nothing
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
import torch
from _side_by_side import Rounds, Row, System, noise, parser_of, ratios, run, span, time_rounds

from offramp import attach, zoo
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.pipeline import Engine
from offramp.transform import backbone

NETWORKS = ("zoo:mlp", "zoo:resnet20", "zoo:resnet56")
ENGINES = ("openvino", "onnxruntime")
SIZES = (1, 64)
EXITS = 2
SECONDS = 20.0  # on the clock for one system
ROUNDS = 5


def main() -> None:
    parser = parser_of(__doc__, SECONDS)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    options = parser.parse_args()
    run(options, "no_exit", lambda folder, seconds: rows_of(options.networks, folder, seconds), tell)


def rows_of(networks: Sequence[str], folder: Path, seconds: float) -> Iterator[Row]:
    """A row per network, engine and batch size."""
    for network in networks:
        for engine in ENGINES:
            systems, shape = load_systems(network, Engine(name=engine), folder)
            for size in SIZES:
                times, seen = time_rounds(systems, noise(shape, size), Rounds(seconds=seconds, count=ROUNDS))
                yield {
                    "network": network, "engine": engine, "batch": size, "ms": times,
                    "ratio": {name: ratios(seen, name, "alone") for name in systems},
                }  # fmt: skip


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


def tell(row: Row) -> str:
    told = [f"{name} {span(ratio)}" for name, ratio in row["ratio"].items() if name != "alone"]
    mean = 1000 * row["ms"]["alone"]["mean"]
    return f"{row['network']} {row['engine']} batch {row['batch']}: alone {mean:.3f} ms; times that: {', '.join(told)}"


if __name__ == "__main__":
    main()
