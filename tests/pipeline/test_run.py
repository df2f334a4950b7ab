from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import call
from folders import contents, read
from offramp import data
from offramp.decide import Target
from offramp.errors import DataError, MissingExtra, OfframpWarning, OptionError, OutputError
from offramp.pipeline import load
from offramp.pipeline._run import Run
from offramp.report import draw_table
from offramp.store.record import GIVEN, to_json

KNEE = Target(knee=True)


@pytest.fixture
def folder(finished: Any, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished.folder, tmp_path / "out"))


@pytest.fixture(scope="session")
def run(finished: Any) -> Run:
    return load(finished.folder)


@pytest.fixture(scope="session")
def pale(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digits with less contrast, as a reference."""
    digits = data.load("digits@test")
    path = tmp_path_factory.mktemp("pale") / "pale.npz"
    assert digits.labels is not None
    np.savez(path, x=0.25 + 0.5 * digits.take(slice(None))["x"], y=digits.labels)
    return f"npz:{path}"


def without_commands(found: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on who asked, and when."""
    return {
        name: value for name, value in found.items() if name not in ("command", "applied", "recalibrated", "folder")
    }


def test_a_run_is_what_its_record_says(run: Run, finished: Any) -> None:
    assert json.loads(to_json(run.record)) == finished.result
    assert run.guarantee is not None
    assert run.guarantee.status == "certified"
    assert len(run.frontier) == len(finished.result["frontier"])
    assert run.goal.max_loss == 0.05
    assert sum(len(part) for part in run.evidence.values()) == 797


def test_its_repr_is_the_table_that_is_printed(run: Run) -> None:
    assert f"{run!r}\n" == draw_table(run.record)
    assert "+ 1 exit" in repr(run)


def test_in_a_notebook_the_table_is_a_table(run: Run) -> None:
    page = run._repr_html_()
    assert page.startswith("<table>")
    assert "promise: at most 5.0 %" in page


def test_without_pandas_the_frame_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pip install pandas"):
        run.to_frame()


def test_predictions_are_those_of_the_command(run: Run) -> None:
    answers = run.predict("digits@test")
    rows = call("predict", run.folder, "--data", "digits@test", "--json").json
    assert answers.ids.tolist() == [row["id"] for row in rows]
    assert answers.answer.tolist() == [row["answer"] for row in rows]
    assert answers.exit.tolist() == [row["exit"] for row in rows]
    assert answers.score.tolist() == pytest.approx([row["score"] for row in rows])
    assert len(answers) == len(answers.logits) == 797


def test_samples_may_be_given_themselves(run: Run) -> None:
    samples = data.load("digits@test").subset(slice(30))
    assert run.predict(samples).answer.tolist() == run.predict("digits@test").answer[:30].tolist()


def test_samples_are_read_as_the_network_reads_them(run: Run) -> None:
    samples = run.read("digits@test")
    assert len(samples) == 797
    assert next(iter(samples.take([0]).values())).dtype == np.float32
    with pytest.raises(DataError):
        run.read(np.zeros((3, 5), np.float32))


def test_classes_have_the_names_that_the_run_knows(named: Any, class_folders: Path, run: Run) -> None:
    answers = load(named.folder).predict(f"imagefolder:{class_folders}@test")
    assert answers.names is not None
    assert answers.names[0] == named.result["model"]["class_names"][answers.answer[0]]
    assert run.predict("digits@test").names is None


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"threads": 0}, {"engine": "abacus"}])
def test_a_number_outside_its_range_is_refused(run: Run, wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        run.predict("digits@test", **wrong)


def test_a_sweep_finds_what_the_command_finds(folder: Path) -> None:
    found = load(folder).sweep(target=KNEE)
    same = call("sweep", folder, "--knee", "--json").json
    assert without_commands(json.loads(to_json(found))) == without_commands(same)


def test_a_sweep_that_is_applied_changes_the_run(folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    run = load(folder)
    before = run.record.chosen.thresholds
    found = run.sweep(target=KNEE, apply=True)
    assert found.applied
    assert run.record.chosen.thresholds == found.chosen.thresholds != before
    assert run == load(folder)
    assert call("sweep", other, "--knee", "--apply").code == 0
    assert without_commands(read(other)) == without_commands(read(folder))


def test_what_somebody_else_wrote_is_read_before_it_is_changed(folder: Path) -> None:
    run = load(folder)
    assert call("sweep", folder, "--knee", "--apply").code == 0
    assert run.sweep(target=KNEE).in_file == tuple(read(folder)["chosen"]["thresholds"])


def test_warnings_are_those_of_python(folder: Path) -> None:
    with pytest.warns(OfframpWarning, match="keeps its thresholds"):
        load(folder).sweep(target=Target(max_loss=0.001, kind="harm"), apply=True)


def test_a_check_finds_what_the_command_finds(run: Run, pale: str) -> None:
    found = run.check(pale, count=100)
    same = call("check", run.folder, "--data", pale, "--samples", 100, "--json").json
    assert without_commands(json.loads(to_json(found))) == without_commands(same)
    assert found.verdict


def test_a_recalibration_writes_what_the_command_writes(folder: Path, tmp_path: Path, pale: str) -> None:
    before = contents(folder)
    renewed = load(folder).recalibrate(pale, target=Target(max_loss=0.1), out=tmp_path / "here")
    assert contents(folder) == before
    options = ["--data", pale, "--max-loss", 0.1, "--out", tmp_path / "there"]
    assert call("recalibrate", folder, *options).code == 0
    assert without_commands(read(tmp_path / "there")) == without_commands(json.loads(to_json(renewed.record)))
    assert renewed.folder == tmp_path / "here"


def test_a_recalibration_in_place_is_the_same_run(folder: Path, pale: str) -> None:
    run = load(folder)
    assert run.recalibrate(pale) is run
    assert run.record.recalibrated is not None
    assert run == load(folder)


def test_new_samples_without_a_reference_are_recorded_as_such(folder: Path, pale: str) -> None:
    with pytest.warns(OfframpWarning, match="not found again"):
        run = load(folder).recalibrate(data.load(pale))
    assert run.record.options.samples.startswith(GIVEN)
    assert run.record.recalibrated is not None
    assert run.record.recalibrated.data is None
    assert "chosen again on 797 samples;" in run.record.verdict[-1]
    with pytest.raises(DataError, match="names its samples"):
        run.bench()


def test_a_bench_that_is_applied_changes_the_run(folder: Path, hurry: None) -> None:
    run = load(folder)
    found = run.bench(batches=(1, 7), apply=True)
    assert set(found.batches) == set(run.record.chosen.gain) == {1, 7}
    assert run.record.times[-1].command == found.command
    assert run == load(folder)


def test_a_report_is_the_page_of_the_run(run: Run, tmp_path: Path) -> None:
    run.report(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == (run.folder / "report.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_is_saved_is_loaded_again(run: Run, tmp_path: Path) -> None:
    saved = run.save(tmp_path / "copy")
    assert saved == run == load(tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(run.folder)
    assert saved.save(tmp_path / "copy") == run


def test_another_run_is_another(run: Run, named: Any) -> None:
    assert run != load(named.folder)
    assert run != 3


def test_a_folder_with_other_files_is_not_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match="holds other files"):
        run.save(tmp_path)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold model\.onnx, result\.json, evidence\.npz"):
        load(tmp_path / "nowhere")


def test_to_load_and_to_predict_loads_no_torch(run: Run) -> None:
    code = f"""
import sys
from offramp.pipeline import load
run = load({str(run.folder)!r})
assert len(run.predict("digits@test")) == 797
assert "promise" in repr(run)
print("torch" in sys.modules)"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["False"], done.stderr


def test_nothing_is_warned_of_where_all_is_well(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(folder).sweep().chosen.thresholds == load(folder).record.chosen.thresholds


def test_the_example_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).parents[2] / "examples" / "load_a_run.py"
    runpy.run_path(str(example))["main"](str(folder), "digits@test")
    out = capsys.readouterr().out
    assert "797 samples answered" in out
    assert "at most 5.0% lost (harm), 95% confidence" in out
