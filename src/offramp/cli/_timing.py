"""Latency of the network as it was and as it is, side by side, and the efficiency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offramp import run
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.measure import Latency, efficiency, gain, latency
from offramp.run import Samples

from ._options import Options

BATCHES = (1, 64)
CALLS = {1: 2000, 64: 60}  # at most; batch 1 takes as many different samples as there are
IDEAL_CALLS = {1: 200, 64: 12}
Batch = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
Call = Callable[[Batch], Any]


def load_runtime(path: Path, options: Options) -> Any:  # Any: a Runtime
    """The conditional network on the chosen engine."""
    if options.engine == "openvino":
        from offramp.run import openvino

        return openvino.load(path, threads=options.threads)
    from offramp.run import onnx

    return onnx.load(path, threads=options.threads)


def load_dense(path: Path, options: Options) -> run.DenseRuntime:
    """The dense twin on the chosen engine."""
    if options.engine == "openvino":
        from offramp.run import openvino

        return openvino.load_dense(path, threads=options.threads)
    from offramp.run import onnx

    return onnx.load_dense(path, threads=options.threads)


def time_all(graph: Graph, plain: Graph, model: Path, test: Samples, rates: Sequence[float], options: Options) -> dict[str, Any]:
    """Latency of baseline and ours at batch 1 and 64, interleaved, with gain and efficiency as result.json has them."""
    folder = model.parent
    ours, baseline = load_runtime(model, options), _plain(plain, folder / "baseline.onnx", options)
    statics: list[Call] = []
    if options.engine == "openvino":  # the ideal is a matter of the default engine; for the other it is unknown
        statics = [_static(graph, folder / f"exit{at}.onnx", at, options) for at in range(len(graph.exits))]
    found: dict[str, Any] = {"baseline": {}, "ours": {}, "gain": {}, "efficiency": {}}
    for size in BATCHES:
        batches = _batches(test, size, CALLS[size], options.seed)
        times = latency({"baseline": baseline, "ours": ours}, batches, seed=options.seed)
        found["baseline"][str(size)], found["ours"][str(size)] = _plainly(times["baseline"]), _plainly(times["ours"])
        found["gain"][str(size)] = gain(times["baseline"], times["ours"])
        found["efficiency"][str(size)] = None
        if statics:
            systems = {str(at): call for at, call in enumerate(statics)}
            ideal = latency(systems, batches[: IDEAL_CALLS[size]], seed=options.seed)
            ordered = [ideal[str(at)] for at in range(len(statics))]
            found["efficiency"][str(size)] = efficiency(rates, ordered, times["ours"]).value
    return found


def _plain(plain: Graph, path: Path, options: Options) -> Call:
    if options.engine == "openvino":
        return _static(plain, path, 0, options)
    return load_runtime(export_onnx.save(plain, path), options)  # type: ignore[no-any-return]  # a Runtime is callable


def _static(graph: Graph, path: Path, upto: int, options: Options) -> Call:
    from offramp.run import openvino

    return openvino.load_static(export_onnx.save(graph, path, upto=upto), threads=options.threads)


def _batches(samples: Samples, size: int, most: int, seed: int) -> list[Batch]:
    """Shuffled batches of different samples; where there are too few for one batch, they repeat."""
    order = np.random.default_rng(seed).permutation(len(samples))
    if len(order) < size:
        order = np.resize(order, size)
    return [samples.take(order[at * size : (at + 1) * size]) for at in range(min(most, len(order) // size))]


def _plainly(times: Latency) -> dict[str, float]:
    return {"mean": times.mean_s, "p50": times.p50_s, "p95": times.p95_s}
