"""Texts and labels in a tab-separated file, turned into tokens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError, OptionError, UnknownReference
from offramp.run import ArraySamples, as_labels, legible

from ._classes import find_class, plain
from ._extra import import_extra
from ._request import Request

TEXT = ("text", "sentence")  # names of the columns in a header
LABEL = ("label", "labels")
TEXTS = (*TEXT, "texts", "sentences", "review", "reviews", "content", "message", "comment", "tweet", "document", "body",
         "title", "question", "utterance", "query", "premise")  # fmt: skip
LABELS = (*LABEL, "sentiment", "class", "classes", "category", "target", "targets", "intent", "topic", "emotion",
          "rating", "answer", "y")  # fmt: skip
OTHERS = ("id", "idx", "index", "guid", "uid")  # columns that are no labels, whatever they hold
REPEATED = 2  # so often every other label stands there, if the first row's, which stands there once, is a heading
FILES = {"train": ("train.tsv",), "val": ("val.tsv", "dev.tsv"), "test": ("test.tsv",)}


def load_tsv(request: Request) -> ArraySamples:
    """Read text and label from FILE, or from DIR/train.tsv and DIR/test.tsv, and tokenize the texts.

    A header (`text`, `sentence`, `review`, ... and `label`, `sentiment`, `class`, ...) is recognized; a single column
    has no labels. Labels are class numbers, or names that are numbered in alphabetical order until somebody says what
    the network calls them. Without a part that must be, DIR/dev.tsv stands in for test.tsv.
    """
    if request.tokenizer is None:
        raise OptionError("texts need a tokenizer, but none is given. Name the folder of a Hugging Face tokenizer.")
    path = _choose_file(Path(request.place), request)
    texts, cells = _read(path, request.class_names)
    labels, names = (None, None) if cells is None else _number(cells, path, request)
    stem = f"{path.resolve().parent.name}/{path.stem}"
    return ArraySamples(
        inputs=_tokenize(texts, request.tokenizer, request.max_length),
        ids=np.array([f"{legible(stem)}/{at}" for at in range(len(texts))], dtype=np.str_),
        labels=labels,
        class_names=names,
    )


def _choose_file(place: Path, request: Request) -> Path:
    if place.is_dir():
        names = FILES[request.preferred] + (FILES["val"] if request.part is None and request.wish == "test" else ())
        present = [place / name for name in names if (place / name).is_file()]
        if not present:
            raise DataError(f"{place} must hold {' or '.join(names)}, but does not. Name the file itself.")
        return present[0]
    if not place.is_file():
        raise DataError(f"tsv needs a file, but {place} is none. Check the path.")
    if request.part:
        raise UnknownReference(f"{place} is one file and has no part {request.part!r}. Leave the part out.")
    return place


def _read(path: Path, known: tuple[str, ...] | None) -> tuple[list[str], list[str] | None]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # not splitlines: texts may hold other line ends
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be UTF-8, but is not: {error}. Convert it.") from error
    rows = [line.rstrip("\r").split("\t") for line in lines if line.strip()]
    wanted = len(rows[0]) if rows else 0
    ragged = [at + 1 for at, row in enumerate(rows) if len(row) != wanted]
    columns = _columns(rows, path, known) if rows and not ragged else None
    if columns is None or (wanted > 2 and not columns.header):
        raise DataError(
            f"{path} must hold text and label between tabs, but has {len(rows)} rows of {wanted} columns"
            f"{f', and others in row {ragged[0]}' if ragged else ''}. Rewrite it."
        )
    body = rows[1:] if columns.header else rows
    if not body:
        raise DataError(f"{path} must hold texts below its header, but ends with it. Add rows.")
    labels = None if columns.label is None else [row[columns.label].strip() for row in body]
    return [row[columns.text] for row in body], labels


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where text and label stand, and whether the first row says so."""

    text: int
    label: int | None
    header: bool


def _columns(rows: list[list[str]], path: Path, known: tuple[str, ...] | None) -> _Columns:
    names = [cell.strip().lower() for cell in rows[0]]
    text, label = _first(names, TEXT), _first(names, LABEL)
    if text is None:  # words that a header often says, but a text might say too
        told = _first(names, LABELS) if label is None else label
        text = _first(names, TEXTS)
        if told is not None and text is None and len(names) == 2:
            text = 1 - told
        if (told is None and len(names) > 1) or (told is not None and _stands_again(rows, told)):
            text = None
        label = told
    if text is not None:
        return _Columns(text, _label_beside(names, text) if label is None else label, True)
    if len(names) == 2 and _is_heading([row[1].strip() for row in rows], path, known):
        return _Columns(0, 1, True)
    return _Columns(0, 1 if len(names) > 1 else None, False)


def _first(names: list[str], words: tuple[str, ...]) -> int | None:
    return next((at for at, name in enumerate(names) if name in words), None)


def _label_beside(names: list[str], text: int) -> int | None:
    """The column of the labels under a header that names the text: a known word, else the only other one."""
    told = _first(names, LABELS)
    beside = [at for at in range(len(names)) if at != text]
    return beside[0] if told is None and len(beside) == 1 and names[beside[0]] not in OTHERS else told


def _stands_again(rows: list[list[str]], column: int) -> bool:
    """Whether the first cell of a column comes again below: then it is no heading."""
    return rows[0][column].strip() in {row[column].strip() for row in rows[1:]}


def _is_heading(cells: list[str], path: Path, known: tuple[str, ...] | None) -> bool:
    """Whether the first label is the heading of the others.

    Raises:
        DataError: It stands there once and all others several times, so that it may be one.
    """
    first, others = cells[0], Counter(cells[1:])
    if first in others or not others:
        return False
    if _as_number(first) is None and all(_as_number(cell) is not None for cell in others):
        return True
    if known is not None and find_class(first, known) is not None:
        return False
    if known is not None and all(find_class(cell, known) is not None for cell in others):
        return True
    if min(others.values()) >= REPEATED and _as_number(first) is None:
        raise DataError(
            f"{path} must say what its columns are, but begins with {first!r} where labels stand, which comes once. "
            "Write the first row as text, tab, label."
        )
    return False


def _number(cells: list[str], path: Path, request: Request) -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Class numbers, and the names that they stand for if the cells are no numbers; none if they cannot be used."""
    numbers = [_as_number(cell) for cell in cells]
    if request.class_names is not None:  # classes may be called 1 to 5 and have the numbers 0 to 4
        called = [
            str(int(one)) if one is not None and one.is_integer() else cell
            for cell, one in zip(cells, numbers, strict=True)
        ]
        if all(find_class(name, request.class_names) is not None for name in set(called)):
            cells, numbers = called, [None]
    empty = next((at for at, cell in enumerate(cells) if not cell), None)
    if empty is not None:
        request.leave_out_labels(f"every row of {path} must have a label, but that of text {empty} is empty. Fill it.")
        return None, None
    if None in numbers:
        found, places = np.unique([plain(cell) for cell in cells], return_inverse=True)
        return places.astype(np.int64), tuple(found.tolist())
    try:
        return as_labels(np.array(numbers), f"labels in {path}"), None
    except DataError as error:
        request.leave_out_labels(str(error))
        return None, None


def _as_number(cell: str) -> float | None:
    """Also of 3.0: labels that went through a table of floats."""
    try:
        return float(cell)
    except ValueError:
        return None


def _tokenize(texts: list[str], folder: str, length: int) -> dict[str, NDArray[Any]]:  # Any: as `take` gives; int64
    transformers = import_extra("transformers", "text")
    if not Path(folder).is_dir():
        raise UnknownReference(f"the tokenizer must be a local folder, but {folder} is none. Use save_pretrained.")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="np")
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise DataError(f"{folder} must hold a tokenizer that can pad, but: {reason}. Save it again.") from error
    # token types are all 0 for single texts, which is what networks assume without them
    return {name: tokens[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
