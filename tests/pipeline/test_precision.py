from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from commands import call
from folders import card_of, read
from offramp import data, transform
from offramp.learn._training import Training
from offramp.measure import Evidence, exits_taken
from offramp.pipeline import Engine, _precision
from offramp.pipeline._screen import Screen
from offramp.run import openvino as engine
from offramp.store.torch import load_artifact
from runs import finished_run

AGREE = ("--max-loss", 0.1, "--kind", "agreement")


@pytest.fixture(scope="module")
def int8(arguments: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in 8 bits."""
    return finished_run(tmp_path_factory, "int8", *arguments, *AGREE, "--precision", "int8").folder


def test_a_quantized_folder_says_everywhere_that_it_is(int8: Path) -> None:
    result, card = read(int8), card_of(int8)
    config = json.loads((int8 / "config.json").read_text())
    assert (result["precision"], result["options"]["precision"], card["precision"]) == ("int8", "int8", "int8")
    assert sorted(config["steps"][-1]["options"]["bodies"]) == card["passes"][0]["int8"]
    quantized = [one["name"] for one in result["precisions"]["bodies"] if one["kept"] != "float"]
    assert card["passes"][0]["int8"] == sorted(quantized)
    assert "What is in 8 bits" in (int8 / "README.md").read_text()


def test_the_weights_beside_it_stay_in_float(int8: Path, weights: Path) -> None:
    with safe_open(int8 / "model.safetensors", framework="np") as file:
        kept = [np.asarray(file.get_tensor(name)) for name in file.keys()]  # noqa: SIM118  # no mapping
    for name, value in load_file(weights).items():  # the very weights of the network that was given
        assert any(np.array_equal(one, value) for one in kept), name
    bodies = transform.in_float(load_artifact(int8)).bodies.values()
    stored = [value.dtype for body in bodies for value in body.state_dict().values()]  # type: ignore[attr-defined]  # modules
    assert {str(one) for one in stored} == {"torch.float32"}


def test_a_quantized_file_is_smaller(int8: Path, finished: Any) -> None:
    sizes = [(folder / "model.onnx").stat().st_size for folder in (int8, finished.folder)]
    assert sizes[0] < 0.5 * sizes[1]


def test_the_promise_is_about_the_quantized_file(int8: Path) -> None:
    """Its evidence is what this very file says, and the reference is what the float network says."""
    seen, result = Evidence.load(int8 / "evidence.npz"), read(int8)
    samples = data.load("digits@test")
    runtime = engine.load(int8 / "model.onnx", precision="int8")
    place = {name: at for at, name in enumerate(seen.ids.tolist())}
    rows = [place[name] for name in samples.ids[:128].tolist()]
    answer = runtime(samples.take(slice(0, 128)))
    taken = exits_taken(seen, result["chosen"]["thresholds"], result["score"])[rows]
    assert answer.exit.tolist() == taken.tolist()
    assert answer.logits.argmax(axis=1).tolist() == seen.predictions[rows, taken].tolist()


def test_the_network_alone_stands_in_the_table_in_both_precisions(int8: Path) -> None:
    baseline = read(int8)["baseline"]
    assert set(baseline["float_latency_s"]) == set(baseline["latency_s"]) == {"1", "64"}
    assert 0.9 < baseline["in_precision"]["agreement"] <= 1
    assert "  in int8" in (int8 / "README.md").read_text()


@pytest.mark.parametrize(
    "command",
    [
        ("predict", "--data", "digits@test"),
        ("bench", "--batch", 1),
        ("sweep",),
        ("check", "--data", "digits@test", "--samples", 100),
    ],
    ids=lambda command: str(command[0]),
)
def test_other_commands_run_the_quantized_file(int8: Path, command: tuple[object, ...], hurry: None) -> None:
    name, *rest = command
    done = call(name, int8, *rest, "--json")
    assert done.code in (0, 3), done.err  # 3: these are samples that the thresholds were chosen on
    if name in ("bench", "check"):
        assert done.json["precision"] == "int8"


def test_a_quantized_file_can_be_recalibrated(int8: Path, tmp_path: Path) -> None:
    done = call("recalibrate", int8, "--data", "digits@test", "--out", tmp_path / "out", *AGREE, "--json")
    assert done.code in (0, 3), done.err
    assert card_of(tmp_path / "out")["precision"] == "int8"


def test_onnx_runtime_runs_a_quantized_file(int8: Path) -> None:
    rows = [
        call("predict", int8, "--data", "digits@test", "--json", *more).json
        for more in ((), ("--engine", "onnxruntime"))
    ]
    same = np.mean([here["answer"] == there["answer"] for here, there in zip(*rows, strict=True)])
    assert same > 0.97


@pytest.fixture(scope="module")
def backed(arguments: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in 8 bits with the network in float behind it."""
    return finished_run(tmp_path_factory, "backed", *arguments, *AGREE, "--precision", "int8+f32").folder


def test_behind_8_bits_stands_the_network_as_it_was(backed: Path) -> None:
    result, card, seen = read(backed), card_of(backed), Evidence.load(backed / "evidence.npz")
    assert (result["precision"], card["precision"]) == ("int8+f32", "int8")
    assert result["model"]["exits"][-1] == "fallback"
    assert result["model"]["cuts"][-1] == "output"
    assert "fallback" not in card["passes"][0]["int8"]
    assert (seen.predictions[:, -1] == seen.reference).all()
    assert 0.9 < result["baseline"]["in_precision"]["agreement"] <= 1
    assert "In int8 the network alone agrees" in " ".join(result["verdict"])
    told = (backed / "README.md").read_text()
    assert '"INFERENCE_PRECISION_HINT": "f32"' in told
    assert "stands the same in float, `fallback`" in told
    assert "  in int8 " in told


def test_a_folder_with_a_fallback_comes_back(backed: Path) -> None:
    graph = load_artifact(backed)
    assert graph.exits[-1].name == "fallback"
    steps = [one["pass"] for one in json.loads((backed / "config.json").read_text())["steps"]]
    assert steps == ["attach_exits", "quantize", "add_fallback"]


def test_a_fallback_doubles_no_weights_beside_the_file(backed: Path, int8: Path) -> None:
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (backed, int8)]
    assert sizes[0] < 1.1 * sizes[1]


def test_bytes_that_run_are_stored_beside_the_weights_as_they_were_trained(int8: Path, finished: Any) -> None:
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (int8, finished.folder)]
    assert sizes[0] < 1.5 * sizes[1]


@pytest.mark.parametrize(
    "command",
    [("predict", "--data", "digits@test"), ("bench", "--batch", 1), ("sweep",)],
    ids=lambda command: str(command[0]),
)
def test_other_commands_run_a_file_with_a_fallback(backed: Path, command: tuple[object, ...], hurry: None) -> None:
    name, *rest = command
    done = call(name, backed, *rest, "--json")
    assert done.code == 0, done.err


def test_behind_a_fallback_the_network_alone_is_timed_in_both_precisions(
    backed: Path, tmp_path: Path, hurry: None
) -> None:
    folder = shutil.copytree(backed, tmp_path / "out")
    row = call("bench", folder, "--batch", 1, "--apply", "--json").json["batches"]["1"]
    result = read(folder)
    assert row["gain"] == pytest.approx(row["alone"]["mean"] / row["ours"]["mean"])
    assert row["gain_to_float"] == pytest.approx(row["floating"]["mean"] / row["ours"]["mean"])
    assert result["baseline"]["float_latency_s"]["1"] == row["floating"]
    assert result["chosen"]["gain_to_float"]["1"] == row["gain_to_float"]
    names = [line.split()[:2] for line in (folder / "README.md").read_text().splitlines()[3:7]]
    assert ["in", "int8"] in names


def test_a_file_in_8_bits_alone_says_that_the_network_in_float_is_not_in_it(
    int8: Path, tmp_path: Path, hurry: None
) -> None:
    folder = shutil.copytree(int8, tmp_path / "out")
    done = call("bench", folder, "--batch", 1, "--apply")
    assert "holds the network in 8 bits only" in done.out
    result = read(folder)
    assert result["baseline"]["float_latency_s"] == result["chosen"]["gain_to_float"] == {}
    network, lower = (folder / "README.md").read_text().splitlines()[4:6]
    assert network.split()[3:5] == ["-", "-"]  # its time and gain
    assert lower.split()[:2] + lower.split()[5:6] == ["in", "int8", "1.00x"]


def test_of_candidates_the_end_of_the_network_always_stays(
    arguments: list[object], tmp_path: Path, hurry: None
) -> None:
    more = ("--exits", "auto", "--precision", "int8+f32", "--out", tmp_path / "out", "--json")
    done = call(*arguments, *AGREE, *more)
    assert done.code == 0, done.err
    candidates = done.json["placement"]["candidates"]
    assert candidates[-1]["cut"] == "output"
    assert all(trial["kept"][-1] == len(candidates) - 1 for trial in done.json["placement"]["trials"])


def test_rounded_precisions_are_proven_on_the_file_itself(arguments: list[object], tmp_path: Path, hurry: None) -> None:
    if "bf16" not in engine.list_precisions():
        pytest.skip("needs a CPU with bfloat16")
    done = call(*arguments, *AGREE, "--precision", "bf16", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert list(Evidence.load(tmp_path / "out" / "evidence.npz").scores) == ["max_probability"]
    assert card_of(tmp_path / "out")["passes"] == []


def test_auto_takes_the_quickest_of_those_that_lose_little(
    arguments: list[object], tmp_path: Path, hurry: None
) -> None:
    done = call(*arguments, *AGREE, "--precision", "auto", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    told = done.json["precisions"]
    able = [one for one in told["tried"] if one["loss"] <= one["allowed_loss"]]
    known = {"f32", "bf16", "int8"} & set(engine.list_precisions())
    assert {one["precision"] for one in told["tried"]} == known | ({"int8+f32"} if "int8" in known else set())
    assert done.json["precision"] == min(able, key=lambda one: one["expected_s"])["precision"]


def test_without_nncf_auto_says_so_and_goes_on(
    arguments: list[object], tmp_path: Path, hurry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    done = call(*arguments, *AGREE, "--precision", "auto", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert "offramp[int8]" in done.err
    assert "int8" not in {one["precision"] for one in done.json["precisions"]["tried"]}


def test_a_run_that_stopped_before_it_quantized_goes_on_from_there(
    arguments: list[object], tmp_path: Path, hurry: None
) -> None:
    asked = (*arguments, *AGREE, "--precision", "int8", "--out", tmp_path / "out", "--json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nncf", None)
        stopped = call(*asked)
    assert stopped.code == 2
    assert "--resume" in stopped.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "_step", None)  # no step of the training is left
        done = call(*asked, "--resume")
    assert done.code == 0, done.err
    assert card_of(tmp_path / "out")["precision"] == "int8"


@pytest.mark.parametrize(
    ("options", "word"),
    [(("--precision", "int4"), "int4"), (("--precision", "bf16", "--engine", "onnxruntime"), "onnxruntime")],
)
def test_a_precision_that_there_is_not_is_refused(
    arguments: list[object], tmp_path: Path, options: tuple[str, ...], word: str
) -> None:
    done = call(*arguments, *options, "--out", tmp_path / "out")
    assert done.code == 2
    assert word in done.err


@pytest.mark.parametrize(("runs_it", "warnings"), [("onnxruntime", 1), ("openvino", 0)])
def test_convolutions_that_onnx_runtime_computes_in_float_are_told_once(
    runs_it: str, warnings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Mock(float_kernels={"stage0": ["a", "b"], "stage1": ["c"]})
    monkeypatch.setattr(_precision.compress, "quantize", lambda *given, **told: kept)  # type: ignore[attr-defined]  # where it is used
    request = SimpleNamespace(engine=Engine(name=runs_it, precision="int8"), seed=0)
    exports = SimpleNamespace(trace=lambda graph: {}, passing=lambda quantized: None)
    screen = Screen()
    _precision._open(request, "int8", None, SimpleNamespace(train=None, tune=None), exports, screen)  # type: ignore[arg-type]  # stand-ins
    assert len(screen.warnings) == warnings
    assert all("3 convolutions" in text and "stage0, stage1" in text for text in screen.warnings)
