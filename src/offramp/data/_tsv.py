"""Texts and labels in a tab-separated file, turned into tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError, OptionError, UnknownReference
from offramp.run import ArraySamples, legible

from ._extra import import_extra
from ._request import Request

TEXT = ("text", "sentence")  # names of the columns in a header
LABEL = ("label", "labels")
FILES = {"train": ("train.tsv",), "val": ("val.tsv", "dev.tsv"), "test": ("test.tsv",)}


def load_tsv(request: Request) -> ArraySamples:
    """Read text and label from FILE, or from DIR/train.tsv and DIR/test.tsv, and tokenize the texts.

    A header (`text` or `sentence`, and `label`) is recognized; a single column has no labels. Labels are class numbers,
    or names that are numbered in alphabetical order. Without a part that must be, DIR/dev.tsv stands in for test.tsv.
    """
    if request.tokenizer is None:
        raise OptionError("texts need a tokenizer, but none is given. Name the folder of a Hugging Face tokenizer.")
    path = _choose_file(Path(request.place), request)
    texts, labels = _read(path)
    stem = f"{path.resolve().parent.name}/{path.stem}"
    return ArraySamples(
        inputs=_tokenize(texts, request.tokenizer, request.max_length),
        ids=np.array([f"{legible(stem)}/{at}" for at in range(len(texts))], dtype=np.str_),
        labels=None if labels is None else _as_numbers(labels),
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


def _read(path: Path) -> tuple[list[str], list[str] | None]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # not splitlines: texts may hold other line ends
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be UTF-8, but is not: {error}. Convert it.") from error
    rows = [line.rstrip("\r").split("\t") for line in lines if line.strip()]
    text_column, label_column, header = _columns(rows[0] if rows else [])
    wanted = len(rows[0]) if rows else 0
    ragged = [at + 1 for at, row in enumerate(rows) if len(row) != wanted]
    if not rows or (wanted > 2 and not header) or ragged:
        raise DataError(
            f"{path} must hold text and label between tabs, but has {len(rows)} rows of {wanted} columns"
            f"{f', and others in row {ragged[0]}' if ragged else ''}. Rewrite it."
        )
    body = rows[1:] if header else rows
    labels = None if label_column is None else [row[label_column].strip() for row in body]
    return [row[text_column] for row in body], labels


def _columns(first: list[str]) -> tuple[int, int | None, bool]:
    """Column of the text, column of the label, and whether the first row is a header."""
    names = [cell.strip().lower() for cell in first]
    label = next((at for at, name in enumerate(names) if name in LABEL), None)
    text = next((at for at, name in enumerate(names) if name in TEXT), None)
    if text is not None:
        return text, label, True
    return 0, 1 if len(first) > 1 else None, False


def _as_numbers(labels: list[str]) -> NDArray[np.int64]:
    try:
        return np.array([int(label) for label in labels], dtype=np.int64)
    except ValueError:
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)


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
