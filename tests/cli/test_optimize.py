"""One whole run of the chain on a small perceptron, and what can be done with the folder that it leaves."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.cli._bench import bench
from offramp.cli._optimize import optimize
from offramp.cli._predict import predict, write_answers
from offramp.cli._request import Request, read_goal
from offramp.cli._screen import Screen
from offramp.errors import OutputError
from offramp.export import load_artifact
from offramp.run import onnx as run_onnx


def make_request(out: Path) -> Request:
    return Request(
        model="zoo:mlp",
        data="digits",
        out=out,
        goal=read_goal(max_loss=None, confidence=None, kind=None, budget=0.9, knee=False),
        exits=1,
        head="pool",
        epochs=1,
        engine="onnxruntime",
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("run") / "result"
    return folder, optimize(make_request(folder), Screen(quiet=True))


def test_the_folder_holds_the_file_the_recipe_the_evidence_and_the_pages(run: tuple[Path, dict[str, Any]]) -> None:
    found = {path.name for path in run[0].iterdir()}
    assert {
        "model.onnx", "model.safetensors", "config.json", "evidence.npz", "result.json", "report.html", "README.md",
    } <= found  # fmt: skip


def test_the_result_is_json_that_says_what_was_returned(run: tuple[Path, dict[str, Any]]) -> None:
    folder, result = run
    assert json.loads((folder / "result.json").read_text()) == json.loads(json.dumps(result))


def test_the_chosen_point_keeps_the_budget_on_the_tuning_samples(run: tuple[Path, dict[str, Any]]) -> None:
    assert run[1]["goal"]["name"] == "budget"
    assert run[1]["guarantee"] is None


def test_the_network_is_rebuilt_from_the_folder(run: tuple[Path, dict[str, Any]]) -> None:
    assert list(load_artifact(run[0]).exits) == run[1]["model"]["exits"]


def test_the_file_runs_with_the_thresholds_that_were_chosen(run: tuple[Path, dict[str, Any]]) -> None:
    runtime = run_onnx.load(run[0] / "model.onnx")
    assert runtime(dict.fromkeys(runtime.card["inputs"], np.zeros((3, 1, 28, 28), np.float32))).logits.shape == (3, 10)


def test_predict_answers_every_sample(run: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    rows = predict(run[0], "digits@test")
    write_answers(rows, tmp_path / "answers.csv", as_json=False)
    read = list(csv.DictReader(io.StringIO((tmp_path / "answers.csv").read_text())))
    assert [row["id"] for row in read] == [row["id"] for row in rows]
    assert {row["exit"] for row in rows} <= {0, 1}


def test_bench_times_every_batch_size(run: tuple[Path, dict[str, Any]]) -> None:
    found = bench(run[0], data="digits@test", batches=[1], engine=None, threads=1)
    assert found["engine"] == "onnxruntime"


def test_a_folder_with_other_files_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="other files"):
        optimize(make_request(tmp_path), Screen(quiet=True))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
