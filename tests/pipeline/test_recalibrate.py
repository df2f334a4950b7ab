from __future__ import annotations

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
from offramp import data
from offramp.errors import OptionError
from offramp.measure import Evidence, check_disjoint, operate
from offramp.pipeline._opened import open_run
from offramp.pipeline._recalibrate import Renewal, recalibrate
from offramp.pipeline._screen import Screen


@pytest.fixture
def folder(finished: Any, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished.folder, tmp_path / "out"))


@pytest.fixture(scope="session")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All digits that the run was proven on, with less contrast; `x` and `y`, and without labels as `u`."""
    digits = data.load("digits@test")
    pictures = 0.25 + 0.5 * digits.take(slice(None))["x"]
    folder = tmp_path_factory.mktemp("grey")
    np.savez(folder / "labelled.npz", x=pictures, y=digits.labels)  # type: ignore[arg-type]  # it is there
    np.savez(folder / "unlabelled.npz", x=pictures)
    np.savez(folder / "few.npz", x=pictures[:40])
    np.savez(folder / "hardly.npz", x=pictures[:14])
    return folder


def test_where_new_samples_lie_is_told_only_where_they_are_opened_again(folder: Path, grey: Path) -> None:
    reference = f"npz:{grey / 'labelled.npz'}"
    assert call("recalibrate", folder, "--data", reference).code == 0
    result = read(folder)
    assert result["options"].pop("held_out") == reference
    assert result["recalibrated"]["data"] == "npz:.../labelled.npz"
    assert str(grey) not in str(result)
    assert [path.name for path in folder.glob("*.[hm]*") if str(grey).encode() in path.read_bytes()] == []


@pytest.mark.parametrize(("classes", "said"), [(10, False), (4, True)])
def test_absent_classes_are_told(folder: Path, tmp_path: Path, classes: int, said: bool) -> None:
    digits = data.load("digits@test")
    assert digits.labels is not None
    some = digits.labels < classes
    np.savez(tmp_path / "some.npz", x=digits.take(slice(None))["x"][some], y=digits.labels[some])
    done = call("recalibrate", folder, "--data", f"npz:{tmp_path / 'some.npz'}", "--max-loss", 0.1)
    assert ("4 of 10 classes are among the new samples" in done.err) == said
    assert ("4 of 10 classes" in str(read(folder)["warnings"])) == said


def test_the_same_choice_is_written_everywhere(folder: Path, grey: Path) -> None:
    before, weights = read(folder), (folder / "model.safetensors").read_bytes()
    done = call("recalibrate", folder, "--data", f"npz:{grey / 'labelled.npz'}", "--json")
    assert done.code == 0, done.err
    result, config, card = read(folder), read(folder, "config.json"), card_of(folder)
    assert done.json == result
    assert result["chosen"]["thresholds"] == config["thresholds"] == card["thresholds"]
    assert result["guarantee"] == card["guarantee"]
    assert result["guarantee"]["status"] == "certified"
    assert result["guarantee"]["kind"] == before["guarantee"]["kind"] == "harm"
    assert (folder / "model.safetensors").read_bytes() == weights
    assert str(card["thresholds"]) in (folder / "README.md").read_text()
    assert "chosen again on 797 samples" in (folder / "README.md").read_text()
    page = (folder / "report.html").read_text()
    assert "<dt>recalibrated</dt>" in page
    assert "data:image/png;base64," in page  # the pictures of the new samples
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_what_was_before_is_kept(folder: Path, grey: Path) -> None:
    before = read(folder)
    result = call("recalibrate", folder, "--data", f"npz:{grey / 'labelled.npz'}", "--json").json
    told = result["recalibrated"]
    assert told["former"]["guarantee"] == before["guarantee"]
    assert told["former"]["thresholds"] == before["chosen"]["thresholds"]
    assert told["former"]["held_out"] == "digits@test"
    assert (told["samples"], told["data"], told["seed"]) == (797, "npz:.../labelled.npz", 0)
    assert told["at"].startswith("20")
    again = call("recalibrate", folder, "--data", f"npz:{grey / 'unlabelled.npz'}", "--json").json
    assert again["recalibrated"]["former"]["recalibrated"] == told


def test_every_number_is_of_the_new_samples(folder: Path, grey: Path) -> None:
    result = call("recalibrate", folder, "--data", f"npz:{grey / 'labelled.npz'}", "--json").json
    run = open_run(folder)
    assert [len(run.parts[name]) for name in ("tune", "calibrate", "test")] == [239, 399, 159]
    check_disjoint(*run.parts.values())
    assert np.char.startswith(Evidence.load(folder / "evidence.npz").ids, f"{grey.name}/labelled").all()  # type: ignore[arg-type]  # as it is at run time
    told = operate(run.parts["test"], run.costs, result["chosen"]["thresholds"], "max_probability")
    assert (told.agreement, told.accuracy) == (result["chosen"]["agreement"], result["chosen"]["accuracy"])
    assert result["chosen"]["gain"] == {}
    assert "offramp bench" in " ".join(result["verdict"])
    test = run.parts["test"]
    assert result["baseline"]["accuracy"] == pytest.approx(float(np.mean(test.reference == test.labels)))
    assert [one["relative_macs"] for one in result["exits_alone"]] == [
        one["relative_macs"] for one in read(folder)["exits_alone"]
    ]
    assert result["guarantee"]["calibration_samples"] == 399


def test_the_other_commands_go_on_from_there(folder: Path, grey: Path) -> None:
    labelled = f"npz:{grey / 'labelled.npz'}"
    chosen = call("recalibrate", folder, "--data", labelled, "--json").json
    swept = call("sweep", folder, "--json").json
    assert swept["chosen"]["thresholds"] == chosen["chosen"]["thresholds"]
    assert swept["guarantee"] == chosen["guarantee"]
    assert "<dt>recalibrated</dt>" in (folder / "report.html").read_text()
    assert call("bench", folder, "--batch", 64).code == 0
    assert call("check", folder, "--data", labelled).code == 0
    assert call("check", folder, "--data", "digits@test").code == 3  # what the run was made for looks strange now


def test_without_labels_agreement_is_promised(folder: Path, grey: Path) -> None:
    done = call("recalibrate", folder, "--data", f"npz:{grey / 'unlabelled.npz'}", "--max-loss", 0.06, "--json")
    assert done.code == 0, done.err
    assert "without labels harm cannot be promised" in done.err
    assert (done.json["guarantee"]["kind"], done.json["guarantee"]["max_loss"]) == ("agreement", 0.06)
    assert done.json["baseline"]["accuracy"] is None
    assert any("without labels" in text for text in done.json["warnings"])


def test_another_folder_leaves_that_of_the_run_as_it_is(folder: Path, grey: Path, tmp_path: Path) -> None:
    before, out = contents(folder), tmp_path / "deep" / "renewed"
    assert call("recalibrate", folder, "--data", f"npz:{grey / 'labelled.npz'}", "--out", out).code == 0
    assert contents(folder) == before
    assert set(contents(out)) == set(before)
    (out / "model.safetensors").write_bytes(b"other")  # no second name of the same file
    assert contents(folder) == before
    assert [path.name for path in out.parent.iterdir()] == ["renewed"]


def test_too_few_samples_for_a_promise_let_nobody_leave_early(folder: Path, grey: Path) -> None:
    done = call("recalibrate", folder, "--data", f"npz:{grey / 'few.npz'}")
    assert done.code == 3
    assert "needs at least 59 calibration samples, has 20" in done.out
    result = read(folder)
    assert result["guarantee"]["status"] == "refused"
    assert result["chosen"]["exit_rates"] == [0.0, 1.0]
    assert card_of(folder)["thresholds"] == [2.0]
    assert result["recalibrated"]["former"]["guarantee"]["status"] == "certified"


@pytest.mark.parametrize(("options", "name"), [(["--knee"], "knee"), (["--budget", "1.5"], "budget")])
def test_other_goals_promise_nothing(folder: Path, grey: Path, options: list[str], name: str) -> None:
    done = call("recalibrate", folder, "--data", f"npz:{grey / 'unlabelled.npz'}", *options, "--json")
    assert done.code == 0, done.err
    assert (done.json["goal"]["name"], done.json["guarantee"]) == (name, None)
    again = call("recalibrate", folder, "--data", f"npz:{grey / 'unlabelled.npz'}", "--json").json
    assert again["goal"]["name"] == name


def test_a_final_exit_that_was_not_the_original_network_is_told(folder: Path, grey: Path) -> None:
    seen = Evidence.load(folder / "evidence.npz")
    Evidence(ids=seen.ids, predictions=seen.predictions, scores=seen.scores, gates=seen.gates,
             reference=(seen.reference + 1) % 10, labels=seen.labels).save(folder / "evidence.npz")  # fmt: skip
    done = call("recalibrate", folder, "--data", f"npz:{grey / 'labelled.npz'}", "--json")
    assert "differed from the original network on 100.00 %" in done.err
    assert done.json["recalibrated"]["final_exit_differed"] == 1.0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--data", "npz:missing.npz"], "missing.npz"),
        (["--data", "digits@test", "--max-loss", "2"], "--max-loss"),
        (["--data", "digits@test", "--seed", "-1"], "--seed"),
        (["--data", "digits@test", "--grid", "half"], "--grid"),
        (["--data", "digits@test", "--budget", "0.01"], "cost at most"),
        (["--data", "npz:UNLABELLED", "--kind", "harm"], "labels"),
        (["--data", "npz:HARDLY"], "15 samples"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(folder: Path, grey: Path, options: list[str], word: str) -> None:
    before = contents(folder)
    places = {"npz:UNLABELLED": f"npz:{grey / 'unlabelled.npz'}", "npz:HARDLY": f"npz:{grey / 'hardly.npz'}"}
    done = call("recalibrate", folder, *(places.get(option, option) for option in options))
    assert (done.code, done.out) == (2, "")
    assert word in done.err
    assert contents(folder) == before


def test_a_folder_with_other_things_is_not_overwritten(folder: Path, grey: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    done = call("recalibrate", folder, "--data", "digits@test", "--out", tmp_path / "mine")
    assert done.code == 2
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_recalibration_that_fails_leaves_everything_as_it_was(
    folder: Path, grey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def broken(*arguments: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr("offramp.pipeline._apply.redraw", broken)
    with pytest.raises(RuntimeError, match="power"):
        recalibrate(open_run(folder), Renewal(data=f"npz:{grey / 'labelled.npz'}"), Screen())
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(OptionError, match="seed -1"):
        Renewal(data="digits", seed=-1)


def test_no_torch_is_loaded(folder: Path, grey: Path) -> None:
    code = """
import sys
from offramp.cli import main
try: main()
finally: print("torch" in sys.modules, file=sys.stderr)"""
    words = ["recalibrate", str(folder), "--data", f"npz:{grey / 'labelled.npz'}"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith("False")


def test_samples_three_times_over_prove_nothing_more(folder: Path, tmp_path: Path) -> None:
    pixels = data.load("digits@test").take(slice(0, 100))["x"]
    np.savez(tmp_path / "thrice.npz", x=np.concatenate([pixels] * 3))
    done = call("recalibrate", folder, "--data", f"npz:{tmp_path / 'thrice.npz'}", "--max-loss", 0.03, "--json")
    assert "200 of 300 samples" in done.err
    assert (done.code, done.json["guarantee"]["calibration_samples"]) == (3, 50)
    contents = Evidence.load(folder / "evidence.npz").contents
    assert contents is not None
    assert len(np.unique(contents)) == 100


@pytest.mark.parametrize("kind", ["harm", "net"])
def test_a_promise_that_needs_labels_is_refused_without_them_before_any_work(
    folder: Path, grey: Path, kind: str
) -> None:
    before = contents(folder)
    done = call("recalibrate", folder, "--data", f"npz:{grey / 'unlabelled.npz'}", "--kind", kind)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"--kind {kind} needs labels" in done.err
    assert contents(folder) == before
