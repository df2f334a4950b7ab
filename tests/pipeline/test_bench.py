from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from commands import call
from folders import contents, read
from offramp import data
from offramp.errors import EngineError
from offramp.pipeline._bench import load_alone
from offramp.pipeline._engine import Engine


@pytest.fixture
def folder(finished: Any, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished.folder, tmp_path / "out"))


def test_all_systems_are_timed_at_each_batch_size(finished: Any, hurry: None) -> None:
    found = call("bench", finished.folder, "--batch", 1, "--batch", 7, "--json").json
    assert set(found["batches"]) == {"1", "7"}
    for row in found["batches"].values():
        assert row["ours"]["calls"] == row["nobody_leaves"]["calls"] == row["alone"]["calls"] > 0
        assert row["gain"] == pytest.approx(row["alone"]["mean"] / row["ours"]["mean"])
        assert row["ratio"] == pytest.approx(row["nobody_leaves"]["mean"] / row["ours"]["mean"])
        for name in ("gain", "ratio"):
            low, high = row[f"{name}_interval"]
            assert low < row[name] < high
        assert sum(row["exit_rates"]) == pytest.approx(1)
        assert row["floating"] is None


def test_the_samples_of_the_run_are_found_again(finished: Any, hurry: None) -> None:
    done = call("bench", finished.folder, "--batch", 64)
    assert done.code == 0
    assert "797 samples" in done.out
    assert "one that holds 1 is no difference" in done.out


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_network_alone_answers_as_the_network_did(finished: Any, engine: str, tmp_path: Path) -> None:
    """The agreement of the final exit with the original network is in the evidence: here all of it."""
    from offramp.measure import Evidence

    model, samples = finished.folder / "model.onnx", data.load("digits@test")
    alone = dict(load_alone(model, Engine(name=engine).load(model), samples, tmp_path))
    assert set(alone) == {"alone"}
    seen = Evidence.load(finished.folder / "evidence.npz")
    answers = np.asarray(alone["alone"](samples.take(slice(0, 64))).logits if engine == "onnxruntime"
                         else alone["alone"](samples.take(slice(0, 64)))).reshape(64, -1).argmax(axis=1)  # fmt: skip
    place = {name: at for at, name in enumerate(seen.ids.tolist())}
    assert answers.tolist() == [int(seen.reference[place[name]]) for name in samples.ids[:64].tolist()]


def test_applied_times_are_written_everywhere_and_marked_with_their_point(folder: Path, hurry: None) -> None:
    assert call("sweep", folder, "--knee", "--apply").code == 0
    moved = read(folder)
    assert moved["chosen"]["gain"] == {}
    untouched = {name: text for name, text in contents(folder).items() if name not in TOLD}
    found = call("bench", folder, "--apply", "--json").json
    result = read(folder)
    rows = found["batches"]
    assert found["applied"] is True
    for batch in ("1", "64"):
        assert result["chosen"]["latency_s"][batch] == rows[batch]["ours"]
        assert result["baseline"]["latency_s"][batch] == rows[batch]["alone"]
        assert result["chosen"]["gain"][batch] == result["chosen"]["gain_to_float"][batch] == rows[batch]["gain"]
        assert result["chosen"]["gain_interval"][batch] == rows[batch]["gain_interval"]
    first, newest = result["times"]
    assert first["thresholds"] != newest["thresholds"] == result["chosen"]["thresholds"]
    assert (newest["command"], newest["machine"], newest["threads"]) == (found["command"], found["machine"], 1)
    assert {**result["chosen"], "gain": 0} != {**moved["chosen"], "gain": 0}
    assert result["guarantee"] == moved["guarantee"]
    assert "bench --apply" not in " ".join(result["verdict"])
    page, card = (folder / "report.html").read_text(), (folder / "README.md").read_text()
    assert f"by <code>{found['command']}</code>" in page
    assert "Not measured since" not in page
    assert f"{rows['1']['gain']:.2f}x [" in card
    assert {name: text for name, text in contents(folder).items() if name not in TOLD} == untouched
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


TOLD = ("result.json", "README.md", "report.html")


def test_without_apply_nothing_is_written(folder: Path, hurry: None) -> None:
    before = contents(folder)
    assert call("bench", folder, "--batch", 1).code == 0
    assert contents(folder) == before


def test_an_apply_that_fails_leaves_everything_as_it_was(
    folder: Path, hurry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def broken(*arguments: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr("offramp.pipeline._apply.redraw", broken)
    with pytest.raises(RuntimeError, match="power"):
        call("bench", folder, "--batch", 1, "--apply")
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_other_batch_sizes_can_be_applied(folder: Path, hurry: None) -> None:
    assert call("bench", folder, "--batch", 7, "--apply").code == 0
    assert set(read(folder)["chosen"]["gain"]) == {"7"}
    assert "gain at batch 7" in (folder / "report.html").read_text()
    assert call("sweep", folder, "--apply").code == 0
    assert set(read(folder)["chosen"]["gain"]) == {"7"}


def test_times_of_another_engine_are_shown_but_never_applied(folder: Path, hurry: None) -> None:
    before = contents(folder)
    assert call("bench", folder, "--batch", 1, "--engine", "onnxruntime").code == 0
    done = call("bench", folder, "--batch", 1, "--engine", "onnxruntime", "--apply")
    assert done.code == 2
    assert "engine of the promise, openvino" in done.err
    assert contents(folder) == before


def test_a_folder_of_an_older_version_is_timed_and_written_too(folder: Path, hurry: None) -> None:
    old = read(folder)
    del old["times"], old["chosen"]["gain_interval"], old["goal"]["margin"], old["guarantee"]["test_interval"]
    (folder / "result.json").write_text(json.dumps(old))
    assert call("bench", folder, "--batch", 1, "--apply").code == 0
    assert len(read(folder)["times"]) == 1
    assert read(folder)["chosen"]["gain_interval"]["1"]


def test_a_network_alone_that_answers_otherwise_is_not_believed(
    folder: Path, hurry: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from offramp.run import onnx as engine

    right = engine.network_alone

    def wrong(model: Any, **options: Any) -> Any:
        made = right(model, **options)
        last = next(node for node in reversed(made.graph.node) if node.op_type == "Gemm")
        weight = next(one for one in made.graph.initializer if one.name == last.input[1])
        weight.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weight), weight.name))
        return made

    monkeypatch.setattr(engine, "network_alone", wrong)
    model = folder / "model.onnx"
    with pytest.raises(EngineError, match="of its answers differ"):
        dict(load_alone(model, Engine(name="openvino").load(model), data.load("digits@test"), tmp_path))
    done = call("bench", folder, "--batch", 1)
    assert done.code == 0
    assert "the network alone is not timed" in done.err
    assert call("bench", folder, "--batch", 1, "--apply").code == 2


def test_a_folder_without_a_result_is_refused(tmp_path: Path) -> None:
    done = call("bench", tmp_path)
    assert done.code == 2
    assert "model.onnx" in done.err


@pytest.mark.parametrize("apply", [[], ["--apply"]])
def test_a_batch_of_nothing_is_refused(finished: Any, apply: list[str]) -> None:
    assert call("bench", finished.folder, "--batch", 0, *apply).code == 2
