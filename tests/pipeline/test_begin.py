from __future__ import annotations

import gc
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from commands import call
from offramp import Exits, Progress, Run, Target, Training, data, load, optimize, zoo
from offramp.errors import DataError, ExportError, OptionError
from offramp.store.torch import load_artifact

ROOT = Path(__file__).parents[2]
WORDS: dict[str, Any] = {
    "target": Target(max_loss=0.05), "exits": Exits(count=1), "training": Training(epochs=1),
}  # fmt: skip
NAMES_AND_TIMES = {
    "command", "options", "machine", "model", "warnings", "baseline", "chosen", "times", "verdict", "held_out",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("hurry")


@pytest.fixture(scope="module")
def network(weights: Path) -> nn.Module:
    return zoo.load_model("zoo:mlp", weights=weights).module


@pytest.fixture(scope="module")
def digits() -> dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    parts = {part: data.load(f"digits@{part}") for part in ("train", "test")}
    return {part: (some.take(slice(None))["x"], np.asarray(some.labels)) for part, some in parts.items()}


def numbers(run: Run) -> dict[str, Any]:
    """All of a run but names and times."""
    told = run.record.model_dump()
    points = {name: told["chosen"][name] for name in ("thresholds", "exit_rates", "accuracy", "agreement", "macs")}
    baseline = {name: told["baseline"][name] for name in ("accuracy", "macs", "parameters", "in_precision")}
    kept = {name: value for name, value in told.items() if name not in NAMES_AND_TIMES}
    return {**kept, "point": points, "alone": baseline}


def same_evidence(one: Run, other: Run) -> bool:
    return all(
        np.array_equal(getattr(one.evidence[part], name), getattr(other.evidence[part], name))
        for part in ("tune", "calibrate", "test")
        for name in ("predictions", "reference", "labels", "contents")
    )


KINDS: dict[str, Callable[[Any, Any], Any]] = {
    "arrays": lambda x, y: (x, y),
    "tensors": lambda x, y: (torch.from_numpy(x), torch.from_numpy(y)),
    "dictionary": lambda x, y: {"x": x, "labels": y},
    "data set": lambda x, y: TensorDataset(torch.from_numpy(x), torch.from_numpy(y)),
    "loader": lambda x, y: DataLoader(
        TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=48, shuffle=True
    ),
    "samples": lambda x, y: data.as_samples((x, y)),
}


@pytest.fixture(scope="module")
def named(network: nn.Module) -> Run:
    """The run on the same samples, by reference."""
    from runs import few_calls

    with few_calls():
        return optimize(network, "digits@train", held_out="digits@test", **WORDS)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_in_every_form_give_the_run_that_a_reference_gives(
    kind: str, network: nn.Module, digits: dict[str, Any], named: Run
) -> None:
    train, held_out = (KINDS[kind](*digits[part]) for part in ("train", "test"))
    run = optimize(network, train, held_out=held_out, **WORDS)
    assert numbers(run) == numbers(named)
    assert same_evidence(run, named)
    assert run.record.options.data.startswith("given:")  # and a digest of what they hold
    assert named.record.options.data == "digits@train"


def test_a_run_without_a_folder_lives_until_it_is_saved(
    network: nn.Module, digits: dict[str, Any], tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    events: list[Progress] = []
    run = optimize(network, digits["train"], **WORDS, on_progress=events.append)
    saved, scratch = run.save(tmp_path / "run"), run.folder
    assert saved == run == load(tmp_path / "run")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert {event.state for event in events} >= {"begun", "going", "done"}
    del run
    gc.collect()
    assert not scratch.parent.exists()
    assert (saved.folder / "model.onnx").is_file()
    with pytest.raises(ExportError, match=r"without a reference: only its model\.onnx can be run"):
        load_artifact(saved.folder)


def test_a_module_with_a_reference_can_be_built_again(
    network: nn.Module, digits: dict[str, Any], tmp_path: Path
) -> None:
    run = optimize(network, digits["train"], **WORDS, reference="zoo:mlp", out=tmp_path / "run")
    assert run.folder == tmp_path / "run"
    assert run.record.model.reference == "zoo:mlp"
    assert load_artifact(run.folder).exits


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"resume": True}, "resume=True needs the folder of the killed run, but out is None"),
        ({"fresh": True}, "fresh=True needs the folder"),
        ({"model": 7}, "model must be a torch.nn.Module or a reference, but is int"),
        ({"seed": -1}, "seed -1"),
        ({"mean": [0.5]}, "mean and std must be given together"),
    ],
)
def test_what_cannot_be_is_refused_in_words_of_the_library(given: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=re.escape(says)) as refused:
        optimize(**{"model": "zoo:mlp", "train": "digits", **given})
    assert "--" not in str(refused.value)


@pytest.mark.parametrize("wrong", ["train", "held_out"])
def test_samples_that_were_given_themselves_are_called_by_the_name_of_the_argument(
    wrong: str, network: nn.Module, digits: dict[str, Any]
) -> None:
    x, y = digits["test"]
    samples: dict[str, Any] = {"train": (x, y), "held_out": (x[:400] / 2, y[:400])}
    samples[wrong] = (samples[wrong][0], samples[wrong][1] + 7)
    with pytest.raises(DataError, match=rf"^{wrong}: labels must lie in 0 .. 9"):
        optimize(network, **samples, target=Target(max_loss=0.05, kind="harm"), training=Training(regime="joint"))


def python_of_the_readme() -> str:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"### From Python.*?```python\n(.*?)```", page, re.DOTALL)
    assert block is not None
    return block[1]


def test_the_script_of_the_readme_is_short() -> None:
    assert len([line for line in python_of_the_readme().splitlines() if line]) <= 15


NETWORK = """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
"""


def test_the_script_of_the_readme_gives_every_number_that_the_command_line_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    script: dict[str, Any] = {}
    exec(compile(python_of_the_readme(), "README.md", "exec"), script)
    (tmp_path / "readme_network.py").write_text(NETWORK)
    save_file(script["network"].state_dict(), tmp_path / "network.safetensors")
    x, y = script["x"].float().numpy() / np.float32(16), script["y"].numpy()
    np.savez(tmp_path / "digits.npz", x_train=x[:1000], y_train=y[:1000], x_test=x[1000:], y_test=y[1000:])
    done = call(
        "optimize", "--model", "readme_network:build", "--weights", "network.safetensors",
        "--data", "npz:digits.npz", "--held-out", "npz:digits.npz@test", "--max-loss", 0.05, "--exits", 1,
        "--epochs", 4, "--out", "out/command",
    )  # fmt: skip
    assert done.code == 0, done.err
    called, typed = load("out/digits"), load("out/command")
    assert called == script["run"]
    assert numbers(called) == numbers(typed)
    assert same_evidence(called, typed)
    assert called.guarantee is not None
    assert called.guarantee.status == "certified"


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "optimize.py"))["main"](tmp_path / "run", epochs=4)
    assert "promise: at most 5.0 %" in capsys.readouterr().out
