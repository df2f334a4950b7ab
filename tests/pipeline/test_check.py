from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import call
from folders import contents
from offramp import data
from offramp.errors import OptionError
from offramp.measure import Evidence, exits_taken
from offramp.pipeline import _check
from offramp.pipeline._check import Question
from offramp.pipeline._opened import open_run


@pytest.fixture
def folder(finished: Any, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished.folder, tmp_path / "out"))


@pytest.fixture(scope="session")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The test digits under noise, without labels."""
    pictures = data.load("digits@test").take(slice(None))["x"]
    noise = np.random.default_rng(0).normal(scale=0.4, size=pictures.shape)
    path = tmp_path_factory.mktemp("noisy") / "noisy.npz"
    np.savez(path, x=np.clip(pictures + noise, 0, 1).astype(np.float32))
    return f"npz:{path}"


@pytest.fixture(scope="session")
def clean(finished: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digits that only the run's report was made on, under names of their own."""
    test = open_run(finished.folder).parts["test"].ids
    known = data.load("digits@test")
    chosen = known.subset(np.flatnonzero(np.isin(known.ids, test)))
    path = tmp_path_factory.mktemp("clean") / "clean.npz"
    np.savez(path, x=chosen.take(slice(None))["x"], y=chosen.labels)  # type: ignore[arg-type]  # it is there
    return f"npz:{path}"


def test_samples_of_the_same_kind_raise_no_alarm(folder: Path, clean: str) -> None:
    before = contents(folder)
    done = call("check", folder, "--data", clean)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "no alarm"
    assert "The new samples look like the calibration samples." in done.out
    assert done.err == ""
    assert contents(folder) == before


def test_samples_under_noise_raise_it(folder: Path, noisy: str) -> None:
    done = call("check", folder, "--data", noisy)
    assert done.code == 3
    assert done.out.splitlines()[-1] == "ALARM"
    assert "The new samples look different" in done.out


def test_every_number_is_what_the_file_does(folder: Path, clean: str) -> None:
    found = call("check", folder, "--data", clean, "--samples", 50, "--json").json
    run = open_run(folder)
    expected = exits_taken(run.parts["calibrate"], run.record.chosen.thresholds, "max_probability")
    shares = np.bincount(expected, minlength=2) / len(expected)
    assert [one["expected_rate"] for one in found["exits"]] == pytest.approx(shares.tolist())
    rows = call("predict", folder, "--data", clean, "--json").json
    taken = np.bincount([row["exit"] for row in rows], minlength=2) / len(rows)
    assert [one["rate"] for one in found["exits"]] == pytest.approx(taken.tolist())
    assert found["samples"] == {"new": len(rows), "to_the_end": 50, "expected": len(expected)}
    assert found["relative_macs"]["new"] == pytest.approx(float(taken @ run.costs.relative))
    low, high = found["loss"]["interval"]
    assert low <= found["loss"]["mean"] <= high
    assert found["loss"]["confidence"] == 0.95
    assert (found["loss"]["promised_kind"], found["loss"]["kind"], found["loss"]["max_loss"]) == ("harm", "harm", 0.05)
    assert 0 <= found["accuracy"]["ours"] <= 1


def test_without_labels_changed_answers_stand_in(folder: Path, noisy: str) -> None:
    found = call("check", folder, "--data", noisy, "--json").json
    assert (found["loss"]["promised_kind"], found["loss"]["kind"], found["accuracy"]) == ("harm", "agreement", None)
    assert found["loss"]["verdict"] != "broken"
    assert "without labels" in found["verdict"][1]


def test_a_promise_that_broke_is_called_broken(folder: Path, clean: str) -> None:
    """Somebody loosened the thresholds by hand."""
    result = json.loads((folder / "result.json").read_text())
    result["chosen"]["thresholds"] = [0.0]
    result["guarantee"] |= {"kind": "agreement", "max_loss": 0.001}
    (folder / "result.json").write_text(json.dumps(result))
    done = call("check", folder, "--data", clean)
    assert done.code == 3
    assert "The promise is broken: at most 0.1 % of answers change" in done.out
    assert "offramp recalibrate" in done.out


def test_without_a_promise_the_samples_are_still_compared(folder: Path, clean: str) -> None:
    assert call("sweep", folder, "--knee", "--apply").code == 0
    done = call("check", folder, "--data", clean)
    assert done.code == 0
    assert "Nothing was promised" in done.out


def test_samples_that_were_chosen_on_are_named(folder: Path) -> None:
    done = call("check", folder, "--data", "digits@test", "--samples", 20)
    assert "518 of 797 samples are those that the thresholds were chosen on" in done.err


def test_they_are_known_under_another_name_and_new_ones_under_a_known_name_are_not(
    finished: Any, folder: Path, tmp_path: Path
) -> None:
    proven = open_run(finished.folder).parts["calibrate"].ids
    known = data.load("digits@test")
    chosen = known.subset(np.flatnonzero(np.isin(known.ids, proven)))
    np.savez(tmp_path / "copy.npz", x=chosen.take(slice(None))["x"])
    done = call("check", folder, "--data", f"npz:{tmp_path / 'copy.npz'}")
    assert "279 of 279 samples are those that the thresholds were chosen on" in done.err
    np.savez(tmp_path / "new.npz", x=1 - chosen.take(slice(None))["x"])
    assert "chosen on" not in call("check", folder, "--data", f"npz:{tmp_path / 'new.npz'}").err


def test_evidence_that_keeps_no_contents_is_compared_by_name(folder: Path) -> None:
    seen = Evidence.load(folder / "evidence.npz")
    replace(seen, contents=None).save(folder / "evidence.npz")
    done = call("check", folder, "--data", "digits@test", "--samples", 20)
    assert "518 of 797 samples have names of those that the thresholds were chosen on" in done.err


def test_repeats_are_counted_once(folder: Path, tmp_path: Path) -> None:
    pixels = data.load("digits@test").take(slice(0, 50))["x"]
    np.savez(tmp_path / "twice.npz", x=np.concatenate([pixels, pixels]))
    done = call("check", folder, "--data", f"npz:{tmp_path / 'twice.npz'}", "--json")
    assert "50 of 100 samples" in done.err
    assert done.json["samples"]["new"] == 50


@pytest.mark.parametrize("ending", ["json", "png"])
def test_a_file_is_written_only_if_asked(folder: Path, clean: str, ending: str, tmp_path: Path) -> None:
    place, before = tmp_path / f"drift.{ending}", contents(folder)
    asked = ("check", folder, "--data", clean, "--samples", 20, "--json")
    assert call(*asked).code == 0
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    done = call(*asked, "--out", place)
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, place.name}
    assert contents(folder) == before
    assert place.stat().st_size > 1000
    if ending == "json":
        assert json.loads(place.read_text()) == done.json


def test_the_seed_draws_who_runs_to_the_end(folder: Path, noisy: str) -> None:
    options = ["check", folder, "--data", noisy, "--samples", 60, "--json", "--seed"]
    losses = [call(*options, seed).json["exits"][0]["scores_p"] for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--data", "npz:missing.npz"], "missing.npz"),
        (["--data", "digits", "--samples", "0"], "--samples"),
        (["--data", "digits", "--alpha", "0"], "alpha"),
        (["--data", "digits", "--confidence", "95"], "confidence"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(folder: Path, options: list[str], word: str) -> None:
    done = call("check", folder, *options)
    assert (done.code, done.out) == (2, "")
    assert word in done.err


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_check, "check_exits", lambda opened: pytest.fail("it ran"))
    done = call("check", folder, "--data", "digits@test", "--out", "drift.txt")
    assert (done.code, done.out) == (2, "")
    assert ".png, .svg, .pdf" in done.err
    assert "drift.txt" in done.err


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    done = call("check", tmp_path, "--data", "digits")
    assert done.code == 2
    assert "offramp optimize" in done.err


@pytest.mark.parametrize(("given", "used"), [(None, "words"), ("others", "others")])
def test_texts_are_cut_by_the_tokenizer_of_the_run_unless_another_is_named(
    folder: Path, given: str | None, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = json.loads((folder / "result.json").read_text())
    result["options"]["tokenizer"] = "words"
    (folder / "result.json").write_text(json.dumps(result))
    asked: dict[str, Any] = {}

    def open_samples(reference: str, runtime: object, **options: object) -> Any:
        asked.update(options)
        return data.load("digits@test").subset(slice(30))

    monkeypatch.setattr(_check, "open_samples", open_samples)
    options = [] if given is None else ["--tokenizer", given]
    assert call("check", folder, "--data", "tsv:new.tsv", "--samples", 20, *options).err.count("error") == 0
    assert asked["tokenizer"] == used


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(OptionError, match="seed"):
        Question(seed=-1)


def test_no_torch_is_loaded(folder: Path, clean: str) -> None:
    code = """
import sys
from offramp.cli import main
try: main()
finally: print("torch" in sys.modules, file=sys.stderr)"""
    done = subprocess.run(
        [sys.executable, "-c", code, "check", str(folder), "--data", clean, "--samples", "20"], capture_output=True,
        text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "False"
