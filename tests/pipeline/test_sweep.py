from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import call
from folders import card_of, contents, read
from offramp.decide import Target, thresholds
from offramp.measure import Evidence, exits_taken, frontier, operate
from offramp.pipeline import Search
from offramp.pipeline._opened import open_run
from offramp.pipeline._screen import Screen
from offramp.pipeline._sweep import LOSSES, sweep
from offramp.run import openvino as engine


@pytest.fixture
def folder(finished: Any, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished.folder, tmp_path / "out"))


def test_a_sweep_as_the_run_was_asked_chooses_what_the_run_chose(folder: Path, finished: Any) -> None:
    found = call("sweep", folder, "--json").json
    for name in ("thresholds", "agreement", "accuracy", "relative_macs", "exit_rates"):
        assert found["chosen"][name] == finished.result["chosen"][name]
    assert found["guarantee"] == finished.result["guarantee"]
    assert found["points"] == finished.result["frontier"]
    assert found["knee"] == finished.result["knee"]


def test_without_apply_only_the_report_changes(folder: Path) -> None:
    before = contents(folder)
    assert call("sweep", folder, "--max-loss", 0.1).code == 0
    after = contents(folder)
    assert {name for name in after if after[name] != before.get(name)} == {"report.html"}
    page = after["report.html"].decode()
    assert "What each loss would cost" in page
    assert "in the file (test)" in page
    assert "asked for (test)" in page
    assert "data:image/png;base64," in page


def test_every_number_is_read_from_the_evidence(folder: Path, finished: Any) -> None:
    found = call("sweep", folder, "--json", "--budget", 0.9, "--score", "entropy", "--search", "screening").json
    run = open_run(folder)
    for point in found["points"]:
        told = operate(run.parts["tune"], run.costs, point["thresholds"], "entropy")
        assert (told.agreement, told.accuracy, told.macs) == (point["agreement"], point["accuracy"], point["macs"])
    for one in (*found["losses"], found["chosen"]):
        told = operate(run.parts["test"], run.costs, one["thresholds"], "entropy")
        assert (told.agreement, told.relative_macs) == (one["agreement"], one["relative_macs"])
    assert len(run.parts["tune"]) == finished.result["samples"]["tune"]


def test_what_is_not_said_is_as_in_the_run(folder: Path) -> None:
    call("sweep", folder, "--kind", "agreement", "--confidence", 0.9, "--apply")
    goal = call("sweep", folder, "--max-loss", 0.04, "--json").json["goal"]
    assert (goal["max_loss"], goal["kind"], goal["confidence"]) == (0.04, "agreement", 0.9)


def test_a_run_that_was_timed_is_swept_by_time(folder: Path) -> None:
    result = read(folder, "result.json")
    assert result["clock"] is None
    macs = result["exit_macs"]
    slow = {"exit_s": [0.999 * macs[-1], macs[-1]], "baseline_s": macs[-1]}  # in which the exit saves nothing
    (folder / "result.json").write_text(json.dumps({**result, "clock": slow}))
    run = open_run(folder)
    assert run.clock is not None
    found = call("sweep", folder, "--max-loss", 0.05, "--json").json
    timed = frontier(run.parts["tune"], run.clock, score=found["score"], quality="harm")
    expected = thresholds(timed, run.parts["calibrate"], max_loss=0.05, kind="harm").thresholds
    assert found["chosen"]["thresholds"] == pytest.approx(list(expected))
    assert found["points"] == read(folder, "result.json")["frontier"]


def test_each_loss_is_promised_or_refused_and_never_cheaper_when_smaller(folder: Path) -> None:
    losses = call("sweep", folder, "--max-loss", 0.04, "--kind", "agreement", "--json").json["losses"]
    assert [one["max_loss"] for one in losses] == sorted({*LOSSES, 0.04})
    assert {one["status"] for one in losses} == {"certified", "refused"}
    assert losses[0]["status"] == "refused"  # 0.1 % needs 2995 samples
    certified = [one["status"] == "certified" for one in losses]
    assert certified == sorted(certified)
    macs = [one["relative_macs"] for one in losses if one["status"] == "certified"]
    assert macs == sorted(macs, reverse=True)


def test_the_choice_does_not_look_at_the_test_samples(folder: Path) -> None:
    before = call("sweep", folder, "--json").json
    seen = Evidence.load(folder / "evidence.npz")
    counts = read(folder, "result.json")["samples"]
    predictions = seen.predictions.copy()
    predictions[counts["tune"] + counts["calibrate"] :] += 1
    Evidence(ids=seen.ids, predictions=predictions % 10, scores=seen.scores, gates=seen.gates,
             reference=seen.reference, labels=seen.labels).save(folder / "evidence.npz")  # fmt: skip
    after = call("sweep", folder, "--json").json
    assert after["chosen"]["thresholds"] == before["chosen"]["thresholds"]
    assert [one["thresholds"] for one in after["losses"]] == [one["thresholds"] for one in before["losses"]]
    assert after["chosen"]["agreement"] < before["chosen"]["agreement"]


def test_apply_writes_the_same_choice_everywhere(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    found = call("sweep", folder, "--knee", "--apply", "--json").json
    thresholds = found["chosen"]["thresholds"]
    result, config, card = read(folder, "result.json"), read(folder, "config.json"), card_of(folder)
    assert found["applied"] is True
    assert result["chosen"]["thresholds"] == config["thresholds"] == card["thresholds"] == thresholds
    assert result["guarantee"] is None
    assert card["guarantee"] is None
    assert (result["goal"]["name"], result["frontier"]) == ("knee", found["points"])
    assert str(thresholds) in (folder / "README.md").read_text()
    assert "none was asked" in (folder / "README.md").read_text()
    assert "offramp sweep" in (folder / "README.md").read_text()
    assert "Written to the file" in (folder / "report.html").read_text()
    assert (folder / "model.safetensors").read_bytes() == weights
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_the_applied_file_leaves_where_the_evidence_says(folder: Path) -> None:
    from offramp import data

    found = call("sweep", folder, "--max-loss", 0.1, "--apply", "--json").json
    samples, seen = data.load("digits@test"), Evidence.load(folder / "evidence.npz")
    answer = engine.load(folder / "model.onnx")(samples.take(slice(0, 100)))
    place = {name: at for at, name in enumerate(seen.ids.tolist())}
    taken = exits_taken(seen, found["chosen"]["thresholds"], "max_probability")
    assert answer.exit.tolist() == [int(taken[place[name]]) for name in samples.ids[:100].tolist()]


def test_times_stay_with_the_thresholds_that_they_were_measured_at(folder: Path, finished: Any) -> None:
    times = {name: finished.result["chosen"][name] for name in ("latency_s", "gain", "gain_interval", "efficiency")}
    assert set(times["gain"]) == {"1", "64"}
    assert call("sweep", folder, "--apply", "--json").code == 0
    same = read(folder)
    assert {name: same["chosen"][name] for name in times} == times
    assert same["verdict"] == finished.result["verdict"]
    assert "Not measured since" not in (folder / "report.html").read_text()

    budget = same["frontier"][0]["relative_macs"]  # that of the safest point
    other = call("sweep", folder, "--budget", budget, "--apply", "--json").json
    assert other["chosen"]["thresholds"] != other["in_file"]
    result = read(folder)
    assert {name: result["chosen"][name] for name in times} == {name: {} for name in times}
    assert [one["thresholds"] for one in result["times"]] == [other["in_file"]]
    assert {name: result["times"][0]["chosen"][name] for name in times} == times
    assert result["times"][0]["command"] == finished.result["command"]
    assert "Its time was not measured at these thresholds: run `offramp bench --apply`." in result["verdict"]
    for name in ("README.md", "report.html"):
        assert "imed before, at another point" in (folder / name).read_text()

    back = ("--max-loss", 0.05, "--confidence", 0.95, "--kind", "harm")
    assert call("sweep", folder, *back, "--apply", "--json").json["chosen"]["thresholds"] == other["in_file"]
    assert {name: read(folder)["chosen"][name] for name in times} == times


def test_times_of_a_folder_of_an_older_version_stay_too(folder: Path, finished: Any) -> None:
    old = read(folder)
    del old["schema"], old["times"]
    for part, name in (("chosen", "gain_interval"), ("chosen", "gain_to_float_interval")):
        del old[part][name]
    del old["baseline"]["float_gain_interval"], old["goal"]["margin"]
    (folder / "result.json").write_text(json.dumps(old))
    assert call("sweep", folder, "--knee", "--apply").code == 0
    (times,) = read(folder)["times"]
    assert times["thresholds"] == finished.result["chosen"]["thresholds"]
    assert times["chosen"]["gain"] == finished.result["chosen"]["gain"]
    assert call("sweep", folder).code == 0


def test_a_margin_is_in_the_promise_and_where_the_next_sweep_starts(folder: Path) -> None:
    strict = call("sweep", folder, "--max-loss", 0.04, "--json").json
    found = call("sweep", folder, "--max-loss", 0.05, "--margin", 0.2, "--apply", "--json").json
    assert found["chosen"]["thresholds"] == strict["chosen"]["thresholds"]
    assert (found["guarantee"]["max_loss"], found["guarantee"]["margin"]) == (0.05, 0.2)
    assert card_of(folder)["guarantee"]["margin"] == read(folder)["goal"]["margin"] == 0.2
    assert "proven for 4 %" in (folder / "README.md").read_text()
    assert call("sweep", folder, "--json").json["goal"] == found["goal"]
    assert call("sweep", folder, "--margin", 0, "--json").json["goal"]["margin"] == 0


def test_no_margin_changes_nothing(folder: Path) -> None:
    found, same = (call("sweep", folder, *more, "--json").json for more in ((), ("--margin", 0.0)))
    assert {**found, "command": ""} == {**same, "command": ""}


@pytest.mark.parametrize(
    "options", [["--margin", "1"], ["--margin", "-0.1"], ["--margin", "nan"], ["--margin", "0.1", "--knee"]]
)
def test_a_margin_that_is_none_is_refused(folder: Path, options: list[str]) -> None:
    before = contents(folder)
    done = call("sweep", folder, *options)
    assert done.code == 2
    assert "--margin" in done.err or "--max-loss" in done.err
    assert contents(folder) == before


def test_an_applied_sweep_is_where_the_next_one_starts(folder: Path) -> None:
    applied = call("sweep", folder, "--max-loss", 0.1, "--search", "screening", "--apply", "--json").json
    again = call("sweep", folder, "--json").json
    assert again["in_file"] == again["chosen"]["thresholds"] == applied["chosen"]["thresholds"]
    assert again["search"] == {"name": "screening", "grid": None, "shares": None}
    assert again["goal"]["max_loss"] == 0.1


def test_a_refused_promise_is_not_applied(folder: Path) -> None:
    before = contents(folder)
    done = call("sweep", folder, "--max-loss", 0.001, "--apply")
    assert done.code == 3
    assert "keeps its thresholds" in done.err
    assert "2995 calibration samples" in done.out
    after = contents(folder)
    assert {name for name in after if after[name] != before[name]} == {"report.html"}


def test_another_score_is_shown_but_never_applied(folder: Path) -> None:
    assert call("sweep", folder, "--score", "margin", "--json").json["score"] == "margin"
    before = contents(folder)
    done = call("sweep", folder, "--score", "margin", "--apply")
    assert done.code == 2
    assert "max_probability" in done.err
    assert done.err.count("\n") == 1
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--score", "luck"], "luck"),
        (["--search", "luck"], "--search"),
        (["--search", "frontier", "--grid", "0.5"], "--grid"),
        (["--grid", "half"], "--grid"),
        (["--budget", "0.01"], "cost at most"),
        (["--knee", "--budget", "0.5"], "exclude"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(folder: Path, options: list[str], word: str) -> None:
    before = contents(folder)
    done = call("sweep", folder, *options)
    assert (done.code, done.out) == (2, "")
    assert word in done.err
    assert done.err.count("\n") == 1
    assert contents(folder) == before


def test_an_apply_that_fails_leaves_everything_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(folder)

    def broken(*arguments: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr("offramp.pipeline._apply.redraw", broken)
    with pytest.raises(RuntimeError, match="power"):
        sweep(open_run(folder), Screen(), goal=Target(knee=True), search=Search(), apply=True)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_the_tables_are_printed(folder: Path) -> None:
    out = call("sweep", folder).out
    assert "frontier search by max_probability" in out
    assert "what each loss would cost" in out
    assert "chosen: T" in out
    assert "promise: at most 5.0 % of answers turn from right to wrong" in out
    assert out.splitlines()[-1] == f"report: {folder / 'report.html'}"


def test_optimize_can_screen(arguments: list[object], tmp_path: Path, hurry: None) -> None:
    options = ["--search", "screening", "--grid", "0.5,0.9,0.99", "--budget", 1, "--out", tmp_path / "out", "--json"]
    done = call(*arguments, *options)
    assert done.code == 0, done.err
    limits = {limit for point in done.json["frontier"] for limit in point["thresholds"]}
    assert limits <= set(np.float32([0.5, 0.9, 0.99]).tolist())  # type: ignore[arg-type,call-overload]  # as it is at run time
    assert done.json["search"] == {"name": "screening", "grid": [0.5, 0.9, 0.99], "shares": None}


@pytest.mark.parametrize("options", [[], ["--apply", "--max-loss", "0.1"]])
def test_no_torch_is_loaded(folder: Path, options: list[str]) -> None:
    code = """
import sys
from offramp.cli import main
try: main()
finally:
    loaded = {"torch", "openvino", "onnxruntime"} & set(sys.modules)
    print(*loaded, "none", file=sys.stderr)"""
    done = subprocess.run(
        [sys.executable, "-c", code, "sweep", str(folder), *options], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == ["none"]
