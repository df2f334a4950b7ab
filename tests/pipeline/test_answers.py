"""The forms of answers, and what is left on the disk when something fails."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from offramp.errors import EngineError, OutputError
from offramp.pipeline._answers import Rows, write_answers

ROWS: Rows = [{"id": f'a"{at},', "answer": at, "exit": 0, "score": at / 3} for at in range(5)]
BATCHES = [ROWS[:2], ROWS[2:4], ROWS[4:]]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a"])
def test_every_form_says_the_same(tmp_path: Path, name: str) -> None:
    write_answers(BATCHES, tmp_path / name)
    text = (tmp_path / name).read_text()
    found = {  # type: ignore[no-untyped-call]  # PyTorch's own
        "a.json": lambda: json.loads(text),
        "a.jsonl": lambda: [json.loads(line) for line in text.splitlines()],
    }.get(name, lambda: [dict(row) for row in csv.DictReader(text.splitlines())])()
    assert [str(row["id"]) for row in found] == [row["id"] for row in ROWS]
    assert [float(row["score"]) for row in found] == [row["score"] for row in ROWS]


@pytest.mark.parametrize(("name", "text"), [("a.json", "[]\n"), ("a.jsonl", ""), ("a.csv", "id,answer,exit,score\n")])
def test_no_samples_give_an_empty_file_of_the_form(tmp_path: Path, name: str, text: str) -> None:
    write_answers([], tmp_path / name)
    assert (tmp_path / name).read_text() == text


def test_json_can_be_asked_for_where_there_is_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    write_answers(BATCHES, None, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineError("broken")])
def test_what_is_stopped_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a.csv").write_text("old")

    def broken() -> Iterator[Rows]:
        yield ROWS
        raise error

    with pytest.raises(type(error)):
        write_answers(broken(), tmp_path / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_rows_are_written_as_they_come(tmp_path: Path) -> None:
    sizes = []

    def watched() -> Iterator[Rows]:
        for _ in range(3):
            yield ROWS * 2000
            sizes.append((tmp_path / ".a.jsonl.partial").stat().st_size)

    write_answers(watched(), tmp_path / "a.jsonl")
    assert 0 < sizes[0] < sizes[1] < sizes[2]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Choose another file"):
        write_answers(BATCHES, tmp_path / "none" / "a.csv")
