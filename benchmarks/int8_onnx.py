"""What integer kernels gain in ONNX Runtime: one network in float, in 8 bits as NNCF leaves it, and in 8 bits as ours.

Run: python benchmarks/int8_onnx.py [--network resnet20] [--weights FILE] [--seconds 20] [--out FILE.json]
(prints JSON, or writes it; --seconds 0.2 only sees that it runs.)

All three are timed in one process, side by side, in random order over the same batches of 1 and 64. Weights are fresh
unless given, and inputs are noise: times do not depend on them, agreement does, so none is told. Kernels are
counted in the model that ONNX Runtime made of the file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from _results import write_rows

from offramp import attach, compress, zoo
from offramp.export import onnx as export_onnx
from offramp.transform import backbone

COUNTED = ("QLinearConv", "QLinearAdd", "QGemm", "QLinearMatMul", "Conv", "FusedConv", "Gemm", "MatMul", "Add")
ITEMS = 32
SIZES = (1, 64)


def open_session(model: onnx.ModelProto, threads: int, folder: Path) -> tuple[Any, dict[str, int]]:
    """A session, and how often it has each kernel."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = Counter(node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node)
    return session, {kind: found[kind] for kind in COUNTED if found[kind]}


def measure(sessions: dict[str, Any], rows: int, shape: tuple[int, ...], seconds: float, seed: int) -> dict[str, float]:
    """Median milliseconds per call."""
    draw = np.random.default_rng(seed)
    batch = draw.normal(size=(rows, *shape)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    end = time.monotonic() + seconds
    while time.monotonic() < end or not all(times.values()):
        for name in draw.permutation(list(sessions)):
            sessions[name].run(None, {"i0": batch})  # its weights shall be in the caches
            start = time.perf_counter()
            sessions[name].run(None, {"i0": batch})
            times[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(one)) for name, one in times.items()}


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet20", help="Of the zoo.")
    parser.add_argument("--weights", help="A file; fresh ones if not given.")
    parser.add_argument("--seconds", type=float, default=20.0, help="On the clock, per batch size.")
    parser.add_argument("--threads", type=int, default=1, help="Of ONNX Runtime.")
    parser.add_argument("--seed", type=int, default=0, help="Of weights and inputs.")
    parser.add_argument("--out", help="Where the JSON goes; to the terminal if not given.")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    loaded = zoo.load_model(f"zoo:{options.network}", weights=options.weights)
    assert isinstance(loaded.example, torch.Tensor), "pictures"
    shape = tuple(loaded.example.shape[1:])
    graph = backbone(attach.exits(loaded.module, loaded.example, count=0))
    (traced,) = export_onnx.trace(graph, [node for node in graph.nodes if node.role == "stage"]).values()
    draw = np.random.default_rng(options.seed)
    items = [{"i0": draw.normal(size=(1, *shape)).astype(np.float32)} for _ in range(ITEMS)]
    models = {
        "float": traced,
        "int8 before": compress.quantize_model(traced, items, close=False),
        "int8": compress.quantize_model(traced, items),
    }
    with tempfile.TemporaryDirectory() as folder:
        opened = {name: open_session(model, options.threads, Path(folder)) for name, model in models.items()}
    sessions = {name: session for name, (session, _) in opened.items()}
    times = {rows: measure(sessions, rows, shape, options.seconds, options.seed) for rows in SIZES}
    rows = [
        {"network": options.network, "threads": options.threads, "model": name, "kernels": kernels, "batch": size,
         "median_ms": times[size][name]}
        for size in SIZES for name, (_, kernels) in opened.items()
    ]  # fmt: skip
    if options.out:
        write_rows(Path(options.out), rows, seed=options.seed)
    else:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
