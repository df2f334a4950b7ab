"""Peak memory and speed of `run.stream` over 10,000 and 1,000,000 made-up samples: a process of its own for each size.

The network is a small perceptron with one exit; samples are made as they are needed, so what grows is ours.

    python benchmarks/stream.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZES = (10_000, 1_000_000)
BATCHES = (64, 1000)
PIECE = 250  # samples that come at a time
RESULT = Path(__file__).parent / "results" / "stream.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.file, options.only, options.batch)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = write_network(Path(folder) / "model.onnx")
        write({batch: [run_apart(path, samples, batch) for samples in SIZES] for batch in BATCHES})


def write_network(path: Path) -> Path:
    from offramp import attach, zoo
    from offramp.export import onnx

    loaded = zoo.load_model("zoo:mlp", seed=0)
    graph = attach.exits(loaded.module.eval(), loaded.example, count=1)
    return onnx.save(graph, path)


def run_apart(path: Path, samples: int, batch: int) -> dict[str, Any]:  # Any: JSON
    command = [sys.executable, __file__, "--only", str(samples), "--batch", str(batch), "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(path: Path, samples: int, batch: int) -> dict[str, Any]:  # Any: JSON
    from offramp.pipeline.folders import to_rows, write_answers
    from offramp.run import openvino, stream

    runtime = openvino.load(path)
    ((name, spec),) = runtime.card["inputs"].items()
    exits = np.zeros(len(runtime.card["exits"]), np.int64)
    pilot = runtime(next(make_samples(name, spec["shape"], PIECE)), np.zeros(1, np.float32))
    middle = np.array([np.median(pilot.score)], np.float32)  # half of the samples leave, other ones in each batch

    def answers() -> Iterator[list[dict[str, Any]]]:  # Any: JSON
        for part in stream(runtime, make_samples(name, spec["shape"], samples), batch=batch, thresholds=middle):
            exits[:] += np.bincount(part.answer.exit, minlength=len(exits))
            yield to_rows(part)

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_answers(answers(), Path(folder) / "answers.csv")
        seconds = time.perf_counter() - start
    return {
        "samples": samples, "peak_bytes": read_peak(), "seconds": seconds, "samples_per_s": samples / seconds,
        "exits": exits.tolist(),
    }  # fmt: skip


def read_peak() -> int:
    """Of this process alone: getrusage would also count the parent, which loads PyTorch, from before the start."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def make_samples(name: str, shape: list[int], samples: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    generator = np.random.default_rng(0)
    for start in range(0, samples, PIECE):
        yield {name: generator.random((min(PIECE, samples - start), *shape), np.float32)}


def write(found: dict[int, list[dict[str, Any]]]) -> None:  # Any: JSON
    from _results import write_rows

    batches = []
    for batch, runs in found.items():
        few, many = runs
        ratio = many["peak_bytes"] / few["peak_bytes"]
        batches.append({"batch": batch, "runs": runs, "ratio": ratio})
        print(f"batch {batch}: peak memory is {ratio:.3f} times that of {few['samples']:,} samples")
    write_rows(RESULT, batches, seed=0)


if __name__ == "__main__":
    main()
