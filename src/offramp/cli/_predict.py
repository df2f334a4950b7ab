"""`offramp predict`: answers of the file, as they come; never loads PyTorch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from offramp.errors import DataError, OptionError
from offramp.run import AnsweredBatch, Runtime, Samples, stream

from ._answers import COLUMNS, Rows
from ._card import read_card
from ._engine import Engine
from ._samples import load_samples

BATCH = 64


def predict(
    folder: Path, reference: str, *, engine: str | None = None, threads: int = 1, tokenizer: str | None = None,
    batch: int = BATCH,
) -> tuple[int, Iterator[Rows]]:  # fmt: skip
    """How many samples a reference names, and class, exit and score of each, a batch at a time.

    Raises:
        DataError: The folder holds no result, or the samples do not fit.
        OptionError: `batch` is not positive.
        EngineError: The engine fails; also while the answers are read.
    """
    if batch < 1:
        raise OptionError(f"--batch must be 1 or more, but is {batch}. Choose 64 if in doubt.")
    runtime = open_runtime(folder, engine=engine, threads=threads)
    samples = open_samples(reference, runtime, tokenizer=tokenizer or known_tokenizer(folder))
    return len(samples), map(to_rows, stream(runtime, samples, batch=batch))


def to_rows(answered: AnsweredBatch) -> Rows:
    """Class, exit and score of each sample of a batch."""
    answer = answered.answer
    columns = (answered.ids, np.argmax(answer.logits, axis=1), answer.exit, answer.score)
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*(column.tolist() for column in columns), strict=True)]


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
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if found is None else str(found)
