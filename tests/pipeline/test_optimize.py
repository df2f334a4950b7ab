from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from commands import call
from offramp import data
from offramp.measure import Evidence, exits_taken
from offramp.pipeline._engine import Engine
from offramp.pipeline._optimize import _card
from offramp.pipeline._request import Request
from offramp.run import openvino as engine
from offramp.store.torch import load_artifact

FILES = {"model.onnx", "model.safetensors", "config.json", "evidence.npz", "result.json", "report.html", "README.md"}


def test_a_run_leaves_a_whole_folder_and_nothing_beside_it(finished: Any) -> None:
    assert {path.name for path in finished.made.iterdir()} == FILES
    assert [path.name for path in finished.made.parent.iterdir()] == [finished.made.name]


def test_no_file_of_a_run_names_a_folder_of_this_machine(finished: Any, weights: Path) -> None:
    command = finished.result["command"]
    assert f"--weights .../{weights.name}" in command
    assert "--out .../out" in command
    folders = [str(folder).encode() for folder in (weights.parent, finished.made.parent, Path.cwd())]
    told = [path.name for path in finished.made.iterdir() for folder in folders if folder in path.read_bytes()]
    assert told == []


def test_the_card_of_the_file_tells_only_the_last_part_of_where_a_network_lies() -> None:
    request = Request(model="hf:/home/ada/networks/bert", train="tsv:a.tsv", out=Path("out"))
    decision = SimpleNamespace(thresholds=(0.5,), guarantee=None)
    problem = SimpleNamespace(class_names=None, model=SimpleNamespace(vocabulary=0))
    chosen, way = (
        SimpleNamespace(decision=decision, test_loss=None, test_interval=None),
        SimpleNamespace(engine=Engine(name="openvino"), quantized=None),
    )
    assert _card(request, problem, chosen, way)["model"] == "hf:.../bert"  # type: ignore[arg-type]  # all that it reads


def test_standard_output_is_the_result_that_was_written(finished: Any) -> None:
    assert json.loads((finished.folder / "result.json").read_text()) == finished.result


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        (
            None,
            "offramp command machine seed engine precision threads held_out samples baseline chosen guarantee frontier",
        ),
        ("samples", "train tune calibrate test"),
        ("baseline", "accuracy macs parameters latency_s"),
        ("chosen", "thresholds accuracy agreement macs relative_macs exit_rates latency_s gain efficiency"),
        ("guarantee", "kind max_loss confidence status p_value calibration_samples test_loss"),
    ],
)
def test_a_result_has_every_field_that_was_agreed(finished: Any, part: str | None, fields: str) -> None:
    place = finished.result if part is None else finished.result[part]
    assert set(fields.split()) - set(place) == set()


@pytest.mark.parametrize("batch", ["1", "64"])
def test_gain_is_mean_by_mean(finished: Any, batch: str) -> None:
    baseline, chosen = finished.result["baseline"], finished.result["chosen"]
    ratio = baseline["latency_s"][batch]["mean"] / chosen["latency_s"][batch]["mean"]
    assert chosen["gain"][batch] == pytest.approx(ratio)


def test_labels_make_the_promise_one_about_harm(finished: Any) -> None:
    assert finished.result["guarantee"]["kind"] == "harm"
    assert finished.result["guarantee"]["status"] == "certified"


def test_the_file_leaves_where_the_evidence_says(finished: Any) -> None:
    seen = Evidence.load(finished.folder / "evidence.npz")
    samples, thresholds = data.load("digits@test"), finished.result["chosen"]["thresholds"]
    answer = engine.load(finished.folder / "model.onnx")(samples.take(slice(0, 100)))
    place = {name: at for at, name in enumerate(seen.ids.tolist())}
    taken = exits_taken(seen, thresholds, "max_probability")
    assert answer.exit.tolist() == [int(taken[place[name]]) for name in samples.ids[:100].tolist()]


def test_the_evidence_is_ordered_by_part(finished: Any) -> None:
    counts = finished.result["samples"]
    seen = Evidence.load(finished.folder / "evidence.npz")
    assert len(seen) == counts["tune"] + counts["calibrate"] + counts["test"]
    test = seen.subset(slice(counts["tune"] + counts["calibrate"], None))
    assert test.labels is not None
    assert float((test.reference == test.labels).mean()) == finished.result["baseline"]["accuracy"]


def test_the_bare_package_runs_the_file(finished: Any) -> None:
    session = onnxruntime.InferenceSession(finished.folder / "model.onnx", providers=["CPUExecutionProvider"])
    limits = np.array(finished.result["chosen"]["thresholds"], np.float32)
    logits, _, _, _ = session.run(None, {"x": np.zeros((3, 1, 28, 28), np.float32), "thresholds": limits})
    assert logits.shape == (3, 10)


def test_the_artefact_builds_the_graph_again(finished: Any) -> None:
    assert [exit.name for exit in load_artifact(finished.folder).exits] == finished.result["model"]["exits"]


@pytest.mark.usefixtures("hurry")
def test_a_promise_that_fails_exits_with_3_and_a_remedy(arguments: list[object], tmp_path: Path) -> None:
    done = call(*arguments, "--max-loss", 0.0001, "--kind", "net", "--out", tmp_path / "out", "--json")
    assert done.code == 3
    assert done.json["guarantee"]["status"] == "refused"
    assert "calibration samples" in done.json["guarantee"]["remedy"]
    assert done.json["chosen"]["exit_rates"] == [0.0, 1.0]


def test_too_few_samples_for_a_promise_are_refused_before_training(arguments: list[object], tmp_path: Path) -> None:
    done = call(*arguments, "--max-loss", 0.001, "--kind", "agreement", "--out", tmp_path / "out", "--json")
    check_refused(done, tmp_path, "needs 2995 calibration samples, but 279 of 797 held out are. Give --held-out 8,559")


@pytest.mark.usefixtures("hurry")
def test_the_best_of_several_scores_is_chosen_and_shipped(arguments: list[object], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call(*arguments, "--score", "auto:patience,entropy,openmax", "--budget", 0.95, "--out", out, "--json")
    assert done.code == 0, done.err
    scores = done.json["scores"]
    candidates = [one["score"] for one in scores["ranked"] if one["candidate"]]
    assert done.json["score"] == candidates[0] != "patience"  # which is 0 at the only exit: all or nobody
    assert sorted(candidates) == ["entropy", "openmax", "patience"]
    areas = [one["area"] for one in scores["ranked"]]
    assert areas == sorted(areas, reverse=True)

    seen = Evidence.load(out / "evidence.npz")
    assert set(seen.scores) == {"patience", "entropy", "openmax", "max_probability", "margin"}
    assert {one["score"] for one in scores["ranked"]} == set(seen.scores)
    file = engine.load(out / "model.onnx")
    assert [gate["score"] for gate in file.card["gates"]] == [done.json["score"]]
    samples = data.load("digits@test")
    place = {name: at for at, name in enumerate(seen.ids.tolist())}
    taken = exits_taken(seen, done.json["chosen"]["thresholds"], done.json["score"])
    answer = file(samples.take(slice(0, 100)))
    assert answer.exit.tolist() == [int(taken[place[name]]) for name in samples.ids[:100].tolist()]
    assert 0 < np.mean(answer.exit) < 1
    assert [exit.name for exit in load_artifact(out).exits] == done.json["model"]["exits"]
    page = (out / "report.html").read_text()
    assert all(f"<td>{name}</td>" in page for name in seen.scores)


@pytest.mark.usefixtures("hurry")
def test_heads_that_learn_their_confidence_are_trained_and_shipped(arguments: list[object], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call(*arguments, "--regime", "cumulative", "--price", 0.3, "--max-loss", 0.05, "--out", out, "--json")
    assert done.code == 0, done.err
    assert done.json["score"] == "head_confidence"
    assert engine.load(out / "model.onnx").card["gates"][0]["score"] == "head_confidence"
    assert done.json["options"]["price"] == 0.3
    assert [exit.name for exit in load_artifact(out).exits] == done.json["model"]["exits"]


@pytest.mark.usefixtures("hurry")
def test_an_untrained_network_is_trained_with_its_exits_and_one_may_sit_at_the_input(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call(
        "optimize", "--model", "zoo:lenet5", "--data", "digits@train", "--held-out", "digits@test",
        "--placement", "input,pool1", "--head", "student:width=4", "--head", "light:width=8,blocks=1",
        "--regime", "joint", "--exits", 2, "--epochs", 12, "--budget", 0.9, "--out", out, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["baseline"]["accuracy"] < 0.3 < done.json["chosen"]["accuracy"]  # it came without weights
    assert done.json["model"]["cuts"] == ["input", "pool1"]
    assert [exit.name for exit in load_artifact(out).exits] == ["exit0/head", "exit1/head", "stage2"]
    (attached,) = json.loads((out / "config.json").read_text())["steps"]
    assert [head["kind"] for head in attached["options"]["heads"]] == ["student", "light"]


@pytest.mark.slow
@pytest.mark.usefixtures("hurry")
def test_heads_may_reuse_logits_and_learn_hard_answers_of_the_samples_that_stay(
    arguments: list[object], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    learned = ["--targets", "hard", "--sample-weighting", 0.5, "--reuse-logits", "--ensemble-heads"]
    options = [*learned, "--exits", 2, "--head", "pool"]
    done = call(*arguments, *options, "--budget", 0.9, "--out", out, "--json")
    assert done.code == 0, done.err
    assert done.json["model"]["exits"] == ["exit0/head", "exit1/ensemble", "stage2"]
    assert [exit.name for exit in load_artifact(out).exits] == ["exit0/head", "exit1/ensemble", "stage2"]


def write_npz(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return f"npz:{path}"


def pixels(count: int = 60, value: float = 0.5, size: int = 28) -> Any:
    return np.full((count, 1, size, size), value, np.float32)


def broken_data(kind: str, folder: Path) -> str:
    labels = np.arange(60) % 10
    nan = pixels()
    nan[7, 0, 3, 3] = np.nan
    arrays = {
        "shape": {"x": pixels(size=8)},
        "nan": {"x": nan},
        "range": {"x": pixels(value=3.0)},
        "labels": {"x": pixels(), "y": labels + 5},
        "one class": {"x": pixels(), "y": labels * 0},
        "rows": {"x": pixels(), "y": labels[:7]},
        "few": {"x": pixels(4)},
        "none": {"x": pixels()},
        "empty": {"x": pixels(0)},
    }[kind]
    return write_npz(folder / "broken.npz", **arrays)


def check_refused(done: Any, folder: Path, word: str) -> None:
    """One sentence, exit code 2, and nothing in the folder."""
    assert done.code == 2, done.err
    lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.err
    assert word in lines[0]
    assert "Traceback" not in done.err
    assert done.out == ""
    assert sorted(path.name for path in folder.iterdir() if "out" in path.name) == []


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("shape", "[1, 8, 8]"),
        ("nan", "sample 7"),
        ("range", "[0, 1]"),
        ("few", "held out"),
        ("empty", "one sample"),
    ],
)
def test_unfit_samples_are_refused_in_a_sentence(kind: str, word: str, tmp_path: Path) -> None:
    done = call("optimize", "--model", "zoo:mlp", "--data", broken_data(kind, tmp_path), "--out", tmp_path / "out")
    check_refused(done, tmp_path, word)


@pytest.mark.parametrize(
    ("kind", "word"),
    [("labels", "0 .. 9"), ("one class", "two classes"), ("rows", "one label per sample"), ("none", "has none")],
)
@pytest.mark.parametrize("asked", [["--kind", "harm"], ["--kind", "net"], ["--regime", "joint"]])
def test_unfit_labels_are_refused_if_something_needs_them(
    kind: str, word: str, asked: list[str], tmp_path: Path
) -> None:
    reference = broken_data(kind, tmp_path)
    done = call("optimize", "--model", "zoo:mlp", "--data", reference, *asked, "--out", tmp_path / "out")
    check_refused(done, tmp_path, word)
    assert "warning" not in done.err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--model", "zoo:lenet55"], "lenet5"),
        (["--model", "nowhere.module:net"], "nowhere.module"),
        (["--data", "digit"], "digits"),
        (["--data", "npz:missing.npz"], "missing.npz"),
        (["--weights", "missing.pt"], "missing.pt"),
        (["--held-out", "digits@train"], "--held-out"),
        (["--exits", "40"], "fit"),
        (["--exits", "many"], "auto"),
        (["--batch", "0"], "--batch"),
        (["--placement", "conv9"], "conv9"),
        (["--placement", "99"], "99"),
        (["--head", "heavy"], "heavy"),
        (["--score", "luck"], "luck"),
        (["--score", "auto:entropy,luck"], "luck"),
        (["--score", "auto:"], "--score"),
        (["--score", "entropy,entropy"], "--score"),
        (["--score", "auto,entropy"], "--score"),
        (["--engine", "tensorrt"], "tensorrt"),
        (["--regime", "luck"], "post, cumulative, frozen, mixed, joint"),
        (["--training-precision", "int4"], "bfloat16"),
        (["--targets", "none"], "soft or hard"),
        (["--sample-weighting", "2"], "--sample-weighting"),
        (["--mixup", "-1"], "--mixup"),
        (["--regime", "frozen", "--targets", "hard"], "--regime post"),
        (["--budget", "0.0001"], "--budget"),
        (["--budget", "-1"], "--budget"),
        (["--budget", "0.5", "--knee"], "exclude"),
        (["--budget", "0.5", "--max-loss", "0.01"], "exclude"),
        (["--max-loss", "1.5"], "--max-loss"),
        (["--confidence", "0"], "--confidence"),
        (["--kind", "luck"], "--kind"),
        (["--mean", "0.5"], "--std"),
        (["--mean", "a", "--std", "b"], "--mean"),
        (["--mean", "1,1", "--std", "1,1"], "channel"),
        (["--epochs", "0"], "--epochs"),
        (["--shape", "1,0"], "--shape"),
        (["--precision", "bf16", "--engine", "onnxruntime"], "onnxruntime"),
    ],
)
def test_unfit_options_are_refused_in_a_sentence(options: list[str], word: str, tmp_path: Path) -> None:
    usual = {"--model": "zoo:mlp", "--data": "digits", "--exits": "1"}
    given = dict(zip(options[::2], options[1::2], strict=False)) if "--knee" not in options else {}
    rest = [part for name, value in usual.items() if name not in given for part in (name, value)]
    check_refused(call("optimize", *rest, *options, "--out", tmp_path / "out"), tmp_path, word)


def test_weights_of_another_layout_are_refused(weights: Path, tmp_path: Path) -> None:
    done = call(
        "optimize", "--model", "zoo:lenet5", "--weights", weights, "--data", "digits", "--out", tmp_path / "out"
    )
    check_refused(done, tmp_path, "must fit")


def test_a_network_without_a_cut_point_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flat.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    done = call("optimize", "--model", "flat:net", "--data", "digits", "--out", tmp_path / "out")
    check_refused(done, tmp_path, "cut point")


@pytest.mark.parametrize("place", ["file/out", "file"])
def test_an_unwritable_output_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = call("optimize", "--model", "zoo:mlp", "--exits", 1, "--data", "digits", "--out", tmp_path / place)
    check_refused(done, tmp_path, "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    done = call("optimize", "--model", "zoo:mlp", "--data", "digits", "--out", tmp_path)
    check_refused(done, tmp_path, "other files")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def start_and_kill(arguments: list[str], checkpoint: Path) -> None:
    """Run until there is a checkpoint, then kill without warning."""
    code = "from offramp.cli import main; main()"
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, env=alone)
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()


@pytest.mark.usefixtures("hurry")
def test_a_killed_run_leaves_no_output_and_resumes(arguments: list[object], tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = [*map(str, arguments), "--out", str(out), "--max-loss", "0.05", "--epochs", "25"]
    start_and_kill(options, tmp_path / ".out.partial" / "heads.safetensors")
    assert not out.exists()
    other = call(*options, "--seed", 5, "--resume")
    assert (other.code, "--seed differ" in other.err) == (2, True)
    fewer = [option if option != "25" else "26" for option in options]
    assert "--epochs differ" in call(*fewer, "--resume").err
    assert call(*options, "--resume", "--json").code == 0
    assert {path.name for path in out.iterdir()} == FILES
    assert not (tmp_path / ".out.partial").exists()


@pytest.mark.parametrize("logits", ["pred", pytest.param("1", marks=pytest.mark.slow)])  # both: capture/test_answer.py
def test_a_network_of_several_outputs_runs_to_the_end_by_the_one_that_is_named(
    logits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hurry: None
) -> None:
    (tmp_path / "pair_of_outputs.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.first, self.second, self.last = nn.Linear(784, 32), nn.Linear(32, 48), nn.Linear(48, 10)\n"
        "    def forward(self, x):\n"
        "        hidden = torch.relu(self.second(torch.relu(self.first(x.flatten(1)))))\n"
        "        return {'features': hidden, 'pred': self.last(hidden).mul(20).softmax(1)}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    asked = ["optimize", "--model", "pair_of_outputs:Net", "--data", "digits@train", "--held-out", "digits@test"]
    asked += ["--exits", 1, "--epochs", 2, "--max-loss", 0.9, "--kind", "agreement", "--out", tmp_path / "out"]  # type: ignore[list-item]  # as it is at run time
    refused = call(*asked)
    assert (refused.code, list(tmp_path.glob("*out*/*"))) == (2, [])
    assert "features [2, 48], pred [2, 10]" in refused.err
    done = call(*asked, "--logits", logits, "--json")
    assert done.code == 0, done.err
    assert any("answers with probabilities" in line for line in done.json["warnings"])
    seen = Evidence.load(tmp_path / "out" / "evidence.npz")
    assert (seen.predictions[:, -1] == seen.reference).mean() > 0.99  # what ships and the module itself
    loaded = load_artifact(tmp_path / "out")
    assert (loaded["stage1"].recipe or {})["logits"] == logits


SOUNDS: dict[str, tuple[str, str, dict[str, Any], tuple[int, ...]]] = {
    "spectrograms": (
        "ASTConfig", "ASTForAudioClassification",
        {"max_length": 32, "num_mel_bins": 16, "patch_size": 8, "time_stride": 8, "frequency_stride": 8}, (32, 16),
    ),
    "waves": (
        "Wav2Vec2Config", "Wav2Vec2ForSequenceClassification",
        {
            "conv_dim": (8, 8), "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_feat_extract_layers": 2,
            "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 8,
        },
        (400,),
    ),
}  # fmt: skip


# Spectrograms: their networks are loaded, with their shapes, in zoo/test_huggingface.py; what follows is the same.
@pytest.mark.parametrize("kind", [pytest.param("spectrograms", marks=pytest.mark.slow), "waves"])
def test_a_classifier_of_sounds_runs_to_the_end(
    kind: str, tmp_path: Path, vision: Any, hurry: None, capfd: pytest.CaptureFixture[str]
) -> None:
    transformers = pytest.importorskip("transformers")
    config, model, options, shape = SOUNDS[kind]
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    named = getattr(transformers, config)(**small, **options, num_labels=3)
    getattr(transformers, model)(named).save_pretrained(tmp_path / "model")
    chance = np.random.default_rng(0)
    parts = {name: chance.normal(size=(300, *shape)).astype(np.float32) for name in ("x_train", "x_test")}
    np.savez(tmp_path / "sounds.npz", **parts)  # type: ignore[arg-type]  # arrays by name
    samples = f"npz:{tmp_path / 'sounds.npz'}"
    done = call(
        "optimize", "--model", f"hf:{tmp_path / 'model'}",
        "--data", f"{samples}@train", "--held-out", f"{samples}@test",
        "--exits", 1, "--epochs", 1, "--max-loss", 0.9, "--out", tmp_path / "out", "--json",
        *(["--shape", ",".join(map(str, shape))] if kind == "waves" else []),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["samples"]["train"] == 300
    answered = call("predict", tmp_path / "out", "--data", f"{samples}@test")
    assert len(answered.out.splitlines()) == 301
