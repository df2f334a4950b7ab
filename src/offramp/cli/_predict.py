"""`offramp predict`: answers of the file; never loads PyTorch."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from offramp.errors import DataError, OutputError
from offramp.run import Runtime, Samples

from ._card import read_card
from ._engine import Engine
from ._samples import load_samples

BATCH = 64
Answers = list[dict[str, Any]]  # Any: JSON


def predict(
    folder: Path, reference: str, *, engine: str | None = None, threads: int = 1, tokenizer: str | None = None
) -> Answers:
    """Class, exit and score of each sample that a reference names.

    Raises:
        DataError: The folder holds no result, or the samples do not fit.
        EngineError: The engine fails.
    """
    runtime = open_runtime(folder, engine=engine, threads=threads)
    samples = open_samples(reference, runtime, tokenizer=tokenizer or known_tokenizer(folder))
    rows: Answers = []
    for start in range(0, len(samples), BATCH):
        positions = range(start, min(start + BATCH, len(samples)))
        answer = runtime(samples.take(slice(start, positions.stop)))
        for at, position in enumerate(positions):
            row = {"id": str(samples.ids[position]), "answer": int(np.argmax(answer.logits[at]))}
            rows.append({**row, "exit": int(answer.exit[at]), "score": float(answer.score[at])})
    return rows


def open_runtime(folder: Path, *, engine: str | None, threads: int) -> Runtime:
    """The file of a result, by the engine that it was proven with unless another is named."""
    path = folder / "model.onnx"
    if not path.is_file():
        raise DataError(f"{folder} must hold a model.onnx, but does not. Name a folder that `offramp optimize` wrote.")
    chosen, precision = engine or "openvino", "f32"
    card = read_card(path)
    if engine in (None, card.get("engine")):
        chosen, precision = card.get("engine", chosen), card.get("precision", precision)
    return Engine(name=chosen, precision=precision, threads=threads).load(path)


def open_samples(reference: str, runtime: Runtime, *, tokenizer: str | None = None) -> Samples:
    """Samples in the form that the file reads, checked against it."""
    shapes = {name: tuple(spec["shape"]) for name, spec in runtime.card["inputs"].items()}
    return load_samples(reference, shapes, int(runtime.card["classes"]), split="test", tokenizer=tokenizer)


def known_tokenizer(folder: Path) -> str | None:
    """The tokenizer of the run, if its result is there and names one; the file alone needs no result."""
    try:
        found = json.loads((folder / "result.json").read_text())["options"]["tokenizer"]
    except (OSError, ValueError, KeyError):
        return None
    return None if found is None else str(found)


def write_answers(rows: Answers, out: Path | None, *, as_json: bool = False) -> None:
    """Write the answers as CSV, or as JSON if asked or if the file is named so.

    Raises:
        OutputError: The file cannot be written.
    """
    text = json.dumps(rows, indent=1) + "\n" if as_json or (out and out.suffix == ".json") else _as_csv(rows)
    if out is None:
        sys.stdout.write(text)
        return
    scratch = out.with_name(f".{out.name}.partial")
    try:
        scratch.write_text(text)
        scratch.replace(out)
    except OSError as error:
        raise OutputError(f"{out} must be writable, but: {error.strerror}. Choose another file.") from error


def _as_csv(rows: Answers) -> str:
    target = io.StringIO()
    writer = csv.DictWriter(target, ["id", "answer", "exit", "score"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()
