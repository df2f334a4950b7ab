"""Two or more files of one network on the clock, side by side, in rounds: options, loop, and the ratio of each round.

What input_check, no_exit and onnx_entry share; each says which systems it compares and what is told of a row.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _results import RESULTS, write_rows
from numpy.typing import NDArray

from offramp import measure
from offramp.pipeline.parts import record_latency

System = Callable[[Any], Any]  # Any: as measure.latency calls it
Row = dict[str, Any]  # Any: JSON
Batches = Sequence[Mapping[str, NDArray[Any]]]
QUICK_S = 0.2  # on the clock for one system, where it only shall be seen that all runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How long, and how often.

    Attributes:
        seconds: The time on the clock for one system at one batch size, all rounds together.
        count: The number of rounds; the ratio is given of each, so that noise can be told from difference.
    """

    seconds: float
    count: int


def parser_of(text: str | None, seconds: float) -> argparse.ArgumentParser:
    """The options that all three share."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=seconds, help="on the clock for one system at one batch size")
    parser.add_argument("--quick", action="store_true", help="a few calls of each; the times mean nothing")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results; with --quick nothing is written")
    return parser


def run(
    options: argparse.Namespace, name: str, rows_of: Callable[[Path, float], Iterable[Row]], tell: Callable[[Row], str]
) -> None:
    """All rows of a benchmark, each told as it is there, and written at the end.

    Args:
        options: As `parser_of` gave them.
        name: The name of the benchmark and of its results.
        rows_of: Takes a folder for files and the seconds per system, and gives row after row.
        tell: One line about a row.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows_of(Path(folder), QUICK_S if options.quick else options.seconds):
            print(tell(row), flush=True)
            rows.append(row)
    if options.out or not options.quick:
        write_rows(options.out or RESULTS / f"{name}.json", rows, seed=0)


def noise(shape: tuple[int, ...], size: int, count: int = 20) -> Batches:
    """Batches of random inputs: times do not depend on what they hold."""
    generator = np.random.default_rng(size)
    return [{"x": generator.random((size, *shape), np.float32)} for _ in range(count)]


def time_rounds(systems: Mapping[str, System], batches: Batches, rounds: Rounds) -> tuple[Row, dict[str, list[float]]]:
    """Times of the first round, and by system the mean seconds per call of every round."""
    once = max(one.mean_s for one in measure.latency(systems, batches[:20], repeats=1).values())
    repeats = max(1, int(rounds.seconds / rounds.count / len(batches) / once))
    found = [measure.latency(systems, batches, repeats=repeats, seed=seed) for seed in range(rounds.count)]
    times = {name: record_latency(found[0][name]).model_dump() for name in systems}
    return times, {name: [one[name].mean_s for one in found] for name in systems}


def ratios(seconds: Mapping[str, Sequence[float]], ours: str, other: str) -> list[float]:
    """How many times as long one system takes as another, round by round."""
    return [one / two for one, two in zip(seconds[ours], seconds[other], strict=True)]


def span(values: Sequence[float]) -> str:
    """The middle of the rounds' ratios, and their ends."""
    return f"{np.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
