"""Answers samples with a written file, without torch."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offramp import data as offramp_data
from offramp.errors import OutputError

from ._bench import load_file

BATCH = 64
COLUMNS = ("id", "class", "exit", "score")
Row = dict[str, Any]  # Any: str, int, float


def run_predict(
    folder: Path, data: str, *, tokenizer: str | None, thresholds: Sequence[float] | None, engine: str, threads: int
) -> list[Row]:  # noqa: PLR0913  # the options of the command
    """Id, class, exit and score of every sample."""
    runtime = load_file(folder, engine, threads)
    samples = offramp_data.load(data, split="test", tokenizer=tokenizer)
    shapes = {name: tuple(port["shape"]) for name, port in runtime.card["inputs"].items()}
    offramp_data.check_samples(samples, shapes if len(shapes) > 1 else next(iter(shapes.values())), runtime.card["classes"])
    limits = None if thresholds is None else np.asarray(thresholds, np.float32)
    rows: list[Row] = []
    for start in range(0, len(samples), BATCH):
        chosen = range(start, min(start + BATCH, len(samples)))
        answer = runtime(samples.take(chosen), limits)
        classes = answer.logits.argmax(axis=1)
        rows += [
            {"id": str(samples.ids[at]), "class": int(label), "exit": int(exit_), "score": float(score)}
            for at, label, exit_, score in zip(chosen, classes, answer.exit, answer.score, strict=True)
        ]
    return rows


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write a CSV file, beside it first, then renamed."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise OutputError(f"expected a place to write, but {path} is none ({error.strerror}): choose another --out.") from error
