from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import call


def test_every_sample_gets_answer_exit_and_score(finished: Any) -> None:
    done = call("predict", finished.folder, "--data", "digits@test")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert (done.code, len(rows)) == (0, 797)
    assert rows[0]["id"] == "digits/test/0"
    assert {row["exit"] for row in rows} <= {"0", "1"}


def test_json_says_the_same_as_the_table(finished: Any) -> None:
    table = csv.DictReader(io.StringIO(call("predict", finished.folder, "--data", "digits@test").out))
    rows = call("predict", finished.folder, "--data", "digits@test", "--json").json
    assert [str(row["answer"]) for row in rows] == [row["answer"] for row in table]


def test_a_run_that_knows_what_its_classes_are_called_says_it(named: Any, class_folders: Path) -> None:
    names, reference = named.result["model"]["class_names"], f"imagefolder:{class_folders}@test"
    rows = call("predict", named.folder, "--data", reference, "--json").json
    assert all(row["name"] == names[row["answer"]] for row in rows)
    assert np.mean([row["name"] == row["id"].split("/")[2] for row in rows]) > 0.8
    table = list(csv.DictReader(io.StringIO(call("predict", named.folder, "--data", reference).out)))
    assert [row["name"] for row in table] == [row["name"] for row in rows]


def test_a_file_is_written_whole(finished: Any, tmp_path: Path) -> None:
    done = call("predict", finished.folder, "--data", "digits@test", "--out", tmp_path / "answers.json")
    assert (done.code, done.out) == (0, "")
    assert len(json.loads((tmp_path / "answers.json").read_text())) == 797
    assert [path.name for path in tmp_path.iterdir()] == ["answers.json"]


def test_the_batch_size_changes_no_answer(finished: Any, tmp_path: Path) -> None:
    for batch in (1, 500):
        done = call("predict", finished.folder, "--data", "digits@test", "--out", tmp_path / f"{batch}.jsonl",
                    "--batch", batch)  # fmt: skip
        assert done.code == 0, done.err
    one, many = ([json.loads(line) for line in (tmp_path / f"{b}.jsonl").read_text().splitlines()] for b in (1, 500))
    assert [row["id"] for row in one] == [row["id"] for row in many]
    assert np.mean([row["answer"] == other["answer"] for row, other in zip(one, many, strict=True)]) > 0.99  # as below


def test_samples_in_a_file_of_their_own_are_answered_row_by_row(finished: Any, tmp_path: Path) -> None:
    shape = next(iter(finished.result["model"]["inputs"].values()))
    np.save(tmp_path / "new.npy", np.full((70, *shape), 0.5, np.float32))
    rows = call("predict", finished.folder, "--data", f"npy:{tmp_path / 'new.npy'}", "--json").json
    assert [row["id"].rsplit("/", 1)[1] for row in rows] == [str(at) for at in range(70)]


def test_another_engine_gives_the_same_answers(finished: Any) -> None:
    ours = call("predict", finished.folder, "--data", "digits@test", "--json").json
    other = call("predict", finished.folder, "--data", "digits@test", "--json", "--engine", "onnxruntime").json
    same = [one["answer"] == two["answer"] for one, two in zip(ours, other, strict=True)]
    assert np.mean(same) > 0.99  # sums in another order may move a sample across its threshold


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--data", "npz:missing.npz"], "missing.npz"),
        (["--data", "digits", "--engine", "abacus"], "abacus"),
        (["--data", "digits", "--threads", "0"], "threads"),
        (["--data", "digits", "--batch", "0"], "--batch"),
        (["--data", "digits", "--out", "/dev/null/answers.csv"], "/dev/null"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(finished: Any, options: list[str], word: str) -> None:
    done = call("predict", finished.folder, *options)
    assert done.code == 2
    assert word in done.err


def test_pictures_of_another_size_are_refused(finished: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "small.npz", x=np.zeros((3, 1, 8, 8), np.float32))
    done = call("predict", finished.folder, "--data", f"npz:{tmp_path / 'small.npz'}")
    assert done.code == 2
    assert "[1, 8, 8]" in done.err


@pytest.mark.parametrize("command", ["predict", "bench"])
def test_no_torch_is_loaded(finished: Any, command: str) -> None:
    code = """
import sys
from offramp.cli import main
try: main()
finally: print("torch" in sys.modules, file=sys.stderr)"""
    words = [command, str(finished.folder), "--data", "digits@test"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith("False")
