"""`offramp predict`: answers of the file, as they come; never loads PyTorch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp import data
from offramp.data import Classes, Given
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
    folder: Path, given: Given, *, engine: str | None = None, threads: int = 1, tokenizer: str | None = None,
    batch: int = BATCH,
) -> tuple[int, Iterator[Rows]]:  # fmt: skip
    """How many samples there are, and class, exit and score of each, a batch at a time.

    Args:
        folder: Of a run; its model alone is enough.
        given: Samples, or a reference to them, as for `data.as_samples`.
        engine: Name of an engine; that of the run if None.
        threads: CPU threads of the engine.
        tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.
        batch: Samples per call of the network.

    Raises:
        DataError: The folder holds no result, or the samples do not fit.
        OptionError: `batch` is out of range.
        EngineError: The engine fails; also while the answers are read.
    """
    runtime, samples = _open(folder, given, engine=engine, threads=threads, tokenizer=tokenizer, batch=batch)
    told = partial(to_rows, names=runtime.card.get("class_names"))
    return len(samples), map(told, stream(runtime, samples, batch=batch))


def _open(
    folder: Path, given: Given, *, engine: str | None, threads: int, tokenizer: str | None, batch: int
) -> tuple[Runtime, Samples]:
    """Runtime and samples, once the numbers are known to lie in their ranges."""
    check_ranges(batch=batch, threads=threads)
    runtime = open_runtime(folder, engine=engine, threads=threads)
    known = tokenizer or known_tokenizer(folder)
    return runtime, open_samples(given, runtime, tokenizer=known, warn=Screen().warn)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Answers to samples.

    Shape letters: S samples, K classes.

    Attributes:
        ids: [S] names of the samples.
        answer: [S] the class of each.
        exit: [S] which exit answered, counted from 0, the final one last.
        score: [S] of the gate that stopped; 1 if none did.
        logits: [S, K] of the exit that answered.
        class_names: What the classes are called, in the order of the logits; None if the run does not know.
    """

    ids: NDArray[np.str_]
    answer: NDArray[np.int64]
    exit: NDArray[np.int64]
    score: NDArray[np.float32]
    logits: NDArray[np.float32]
    class_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def names(self) -> list[str] | None:
        """What each answer is called; None if the run does not know."""
        return None if self.class_names is None else [self.class_names[one] for one in self.answer.tolist()]


def predict_all(
    folder: Path, given: Given, *, engine: str | None = None, threads: int = 1, tokenizer: str | None = None,
    batch: int = BATCH,
) -> Predictions:  # fmt: skip
    """Answers to all samples at once; arguments and errors as for `predict`."""
    runtime, samples = _open(folder, given, engine=engine, threads=threads, tokenizer=tokenizer, batch=batch)
    parts = list(stream(runtime, samples, batch=batch))
    names = runtime.card.get("class_names")
    if not parts:
        raise DataError("there must be a sample to answer, but there is none. Give some.")
    logits = np.concatenate([part.answer.logits for part in parts])
    return Predictions(
        ids=np.concatenate([part.ids for part in parts]),
        answer=np.argmax(logits, axis=1),
        exit=np.concatenate([part.answer.exit for part in parts]),
        score=np.concatenate([part.answer.score for part in parts]),
        logits=logits,
        class_names=None if names is None else tuple(names),
    )


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


def name_of(given: Given) -> str | None:
    """The reference of samples; None if they were given themselves."""
    return given if isinstance(given, str) else None


def open_samples(
    given: Given, runtime: Runtime, *, tokenizer: str | None = None, warn: Warn | None = None, strict: bool = False
) -> Samples:
    """Samples in the form that the file reads, checked against it; labels are mapped to its classes by name.

    Args:
        given: Samples, or a reference to them, as for `data.as_samples`.
        runtime: Of the file, whose card says what it reads.
        tokenizer: Folder of a Hugging Face tokenizer, for texts.
        warn: Is told why labels cannot be used, which are then absent; without it that is an error.
        strict: Refuse classes of which only some are unknown, even if there is someone to warn.
    """
    reads = _reads(runtime.card, tokenizer)
    if isinstance(given, str):
        return reads.fit(reads.read(given, split="test", warn=warn, strict=strict), given, warn=warn, strict=strict)
    return reads.fit(data.as_samples(given), "the samples", warn=warn, strict=strict)


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
