"""Answers as CSV, JSON or JSON lines, written as they come."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from offramp.store._file import open_file

Rows = list[dict[str, Any]]  # Any: JSON
COLUMNS = ("id", "answer", "exit", "score")
NAME = "name"  # of the class, where the file knows it


def write_answers(batches: Iterable[Rows], out: Path | None, *, as_json: bool = False) -> None:
    """Write answers batch by batch: as CSV, as JSON if asked or if the file ends in .json, as JSON lines in .jsonl.

    A file appears under its name when it is whole, and is UTF-8; what fails or is interrupted leaves nothing behind.

    Args:
        batches: Answers in order.
        out: File to write; None prints.
        as_json: JSON whatever the name of the file, unless that is .jsonl.

    Raises:
        OutputError: The file cannot be written.
    """
    texts = _form(out, as_json)(batches)
    if out is None:
        for text in texts:
            sys.stdout.write(text)
        return
    with open_file(out) as file:
        file.writelines(text.encode("utf-8", "surrogateescape") for text in texts)  # ids may be names of files


def _form(out: Path | None, as_json: bool) -> Callable[[Iterable[Rows]], Iterator[str]]:
    if out is not None and out.suffix == ".jsonl":
        return _lines
    return _json if as_json or (out is not None and out.suffix == ".json") else _csv


def _csv(batches: Iterable[Rows]) -> Iterator[str]:
    columns: tuple[str, ...] = ()
    for rows in batches:
        target = io.StringIO()
        if rows and not columns:
            columns = (*COLUMNS, *([NAME] if NAME in rows[0] else []))
            target.write(",".join(columns) + "\n")
        csv.DictWriter(target, columns, lineterminator="\n").writerows(rows)
        yield target.getvalue()
    if not columns:
        yield ",".join(COLUMNS) + "\n"


def _json(batches: Iterable[Rows]) -> Iterator[str]:
    """One array, with a line per sample."""
    before = "[\n "
    for rows in batches:
        for row in rows:
            yield before + json.dumps(row)
            before = ",\n "
    yield "[]\n" if before == "[\n " else "\n]\n"


def _lines(batches: Iterable[Rows]) -> Iterator[str]:
    for rows in batches:
        yield "".join(json.dumps(row) + "\n" for row in rows)
