from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest

from offramp.cli._card import read_card, write_card
from offramp.errors import EngineError, OutputError


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
