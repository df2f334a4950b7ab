"""`offramp predict`: answers of the file, as they come; never loads PyTorch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from offramp.data import Classes
from offramp.errors import DataError
from offramp.run import AnsweredBatch, Runtime, Samples, stream
from offramp.store._folder import repair

from ._answers import COLUMNS, NAME, Rows
from ._card import read_card
from ._engine import Engine
from ._ranges import check_ranges
from ._samples import Reads, Warn
from ._screen import Screen

BATCH = 64


def predict(
    folder: Path, reference: str, *, engine: str | None = None, threads: int = 1, tokenizer: str | None = None,
    batch: int = BATCH,
) -> tuple[int, Iterator[Rows]]:  # fmt: skip
    """How many samples a reference names, and class, exit and score of each, a batch at a time.

    Raises:
        DataError: The folder holds no result, or the samples do not fit.
        OptionError: `batch` is out of range.
        EngineError: The engine fails; also while the answers are read.
    """
    check_ranges(batch=batch)
    runtime = open_runtime(folder, engine=engine, threads=threads)
    samples = open_samples(
        reference, runtime, tokenizer=tokenizer or known_tokenizer(folder), warn=Screen(quiet=True).warn
    )
    told = partial(to_rows, names=runtime.card.get("class_names"))
    return len(samples), map(told, stream(runtime, samples, batch=batch))


def to_rows(answered: AnsweredBatch, names: Sequence[str] | None = None) -> Rows:
    """Class, exit and score of each sample of a batch, and what the class is called if the file knows it."""
    answer = answered.answer
    columns = (answered.ids, np.argmax(answer.logits, axis=1), answer.exit, answer.score)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    told: Rows = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    return told if names is None else [{**row, NAME: names[row["answer"]]} for row in told]


def open_runtime(folder: Path, *, engine: str | None, threads: int) -> Runtime:
    """The file of a result, by the engine that it was proven with unless another is named."""
    repair(folder)
    path = folder / "model.onnx"
    if not path.is_file():
        raise DataError(f"{folder} must hold a model.onnx, but does not. Name a folder that `offramp optimize` wrote.")
    chosen, precision = engine or "openvino", "f32"
    card = read_card(path)
    if engine in (None, card.get("engine")):
        chosen, precision = card.get("engine", chosen), card.get("precision", precision)
    return Engine(name=chosen, precision=precision, threads=threads).load(path)


def open_samples(
    reference: str, runtime: Runtime, *, tokenizer: str | None = None, warn: Warn | None = None, strict: bool = False
) -> Samples:
    """Samples in the form that the file reads, checked against it; labels are mapped to its classes by name.

    Args:
        reference: Which samples.
        runtime: Of the file, whose card says what it reads.
        tokenizer: Folder of a Hugging Face tokenizer, for texts.
        warn: Is told why labels cannot be used, which are then absent; without it that is an error.
        strict: Refuse classes of which only some are unknown, even if there is someone to warn.
    """
    reads = _reads(runtime.card, tokenizer)
    samples = reads.read(reference, split="test", warn=warn, strict=strict)
    return reads.fit(samples, reference, warn=warn, strict=strict)


def _reads(card: Mapping[str, Any], tokenizer: str | None) -> Reads:  # Any: JSON
    """What a file reads; older files do not say what their classes are called, nor how many tokens they know."""
    names = card.get("class_names")
    return Reads(
        shapes={name: tuple(spec["shape"]) for name, spec in card["inputs"].items()},
        classes=Classes(count=int(card["classes"]), names=None if names is None else tuple(names)),
        tokenizer=tokenizer,
        vocabulary=int(card.get("vocabulary") or 0),
    )


def known_tokenizer(folder: Path) -> str | None:
    """The tokenizer of the run, if its result is there and names one; the file alone needs no result."""
    try:
        found = json.loads((folder / "result.json").read_text(encoding="utf-8"))["options"]["tokenizer"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if found is None else str(found)
