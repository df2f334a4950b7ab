from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from commands import call
from offramp.errors import EngineError, OutputError
from offramp.pipeline import _optimize
from offramp.pipeline._card import read_card, write_card
from offramp.run import _external
from runs import finished_run


@pytest.fixture
def path(chain_files: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(chain_files / "model.onnx", tmp_path))


def test_only_the_named_entries_change(path: Path) -> None:
    model, card = onnx.load(path), read_card(path)
    onnx.helper.set_model_props(model, {"other": "mine", **{one.key: one.value for one in model.metadata_props}})
    onnx.save(model, path)
    write_card(path, {"thresholds": [0.5, 0.25, 0.125]})
    assert read_card(path) == {**card, "thresholds": [0.5, 0.25, 0.125]}
    after = onnx.load(path)
    assert {one.key: one.value for one in after.metadata_props}["other"] == "mine"
    assert after.graph == model.graph
    assert [one.name for one in path.parent.iterdir()] == ["model.onnx"]


def test_a_second_name_of_the_file_keeps_the_old_card(path: Path, tmp_path: Path) -> None:
    (tmp_path / "linked.onnx").hardlink_to(path)
    before = read_card(path)
    write_card(path, {"thresholds": [1.0, 1.0, 1.0]})
    assert read_card(tmp_path / "linked.onnx") == before


def test_a_file_without_a_card_has_an_empty_one(path: Path) -> None:
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    assert read_card(path) == {}


@pytest.mark.parametrize("what", ["bytes", "card"])
def test_a_broken_file_is_refused(path: Path, what: str) -> None:
    if what == "bytes":
        path.write_bytes(b"\xff" * 20)
    else:
        model = onnx.load(path)
        onnx.helper.set_model_props(model, {"offramp": "{"})
        onnx.save(model, path)
    with pytest.raises(EngineError, match="cannot be read"):
        read_card(path)


def test_a_file_that_cannot_be_written_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def refuse(self: Path, target: Path) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        write_card(path, {})
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["model.onnx"]


# Weights beside the file ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beside(arguments: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose weights are too many for one file, or so it is made to believe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_external, "LIMIT", 100_000)
        return finished_run(tmp_path_factory, "beside", *arguments, "--max-loss", 0.05).folder


@pytest.fixture
def copied(beside: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(beside, tmp_path / "out"))


def thresholds_of(folder: Path) -> list[float]:
    found: list[float] = read_card(folder / "model.onnx")["thresholds"]
    return found


def answers(folder: Path, *options: object) -> list[str]:
    done = call("predict", folder, "--data", "digits@test", *options)
    assert done.code == 0, done.err
    return done.out.splitlines()


def test_a_run_with_weights_beside_its_file_has_both(beside: Path, finished: Any) -> None:
    assert (beside / "model.onnx").stat().st_size < 100_000 < (beside / "model.onnx.data").stat().st_size
    assert {one.name for one in beside.iterdir()} == {
        "model.onnx.data", *(one.name for one in finished.folder.iterdir())
    }  # fmt: skip
    result = json.loads((beside / "result.json").read_text())
    assert result["chosen"]["thresholds"] == finished.result["chosen"]["thresholds"]


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_predict_answers_as_from_one_file(beside: Path, finished: Any, engine: str) -> None:
    assert answers(beside, "--engine", engine) == answers(finished.folder, "--engine", engine)


@pytest.mark.usefixtures("hurry")
def test_bench_times_it(beside: Path) -> None:
    done = call("bench", beside, "--batch", 1, "--json")
    assert done.code == 0, done.err
    assert done.json["batches"]["1"]["ours"]["mean"] > 0


def test_sweep_writes_its_choice_and_the_weights_stay(copied: Path) -> None:
    before = answers(copied, "--engine", "onnxruntime")
    weights = (copied / "model.onnx.data").read_bytes()
    found = call("sweep", copied, "--knee", "--apply", "--json").json
    assert found["applied"] is True
    assert thresholds_of(copied) == found["chosen"]["thresholds"]
    assert (copied / "model.onnx.data").read_bytes() == weights
    assert len(answers(copied)) == len(before)
    assert [one.name for one in copied.parent.iterdir()] == ["out"]


def test_recalibrate_makes_a_whole_folder_elsewhere(beside: Path, tmp_path: Path) -> None:
    to = tmp_path / "elsewhere"
    done = call("recalibrate", beside, "--data", "digits@test", "--max-loss", 0.05, "--out", to)
    assert done.code == 0, done.err
    assert (to / "model.onnx.data").read_bytes() == (beside / "model.onnx.data").read_bytes()
    assert len(answers(to)) == len(answers(beside))


def test_a_folder_without_its_weights_is_refused_in_a_sentence(copied: Path) -> None:
    (copied / "model.onnx.data").unlink()
    done = call("predict", copied, "--data", "digits@test")
    assert done.code == 2
    assert "has its weights in model.onnx.data, but they are not beside it" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("precision", ["int8", "int8+f32"])
def test_8_bits_of_parts_that_are_too_large_are_refused_before_training(
    arguments: list[object], precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_external, "LIMIT", 100_000)
    monkeypatch.setattr(_optimize, "train", lambda *_: pytest.fail("trained"))
    done = call(*arguments, "--precision", precision, "--max-loss", 0.05, "--out", tmp_path / "out")
    assert done.code == 2
    assert "8 bits need parts of a network with less than 2 GB" in done.err
    assert list(tmp_path.iterdir()) == []
