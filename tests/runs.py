"""Finished runs that tests share, and what they are made of; `tests/conftest.py` lends these fixtures to all tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from commands import call
from offramp import data, learn, zoo
from offramp.measure import _latency
from offramp.pipeline import _batches, _precision, _price
from shared import made_once


@contextmanager
def few_calls() -> Iterator[None]:
    """Nobody reads the times of these runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_batches, "CALLS", {1: 30, 64: 6})
        patch.setattr(_batches, "LEAST_S", 0.0)
        patch.setattr(_latency, "TURN_S", 0.0)
        for module in (_price, _precision):
            patch.setattr(module, "CALLS", 20, raising=False)
        yield


@pytest.fixture
def hurry() -> Iterator[None]:
    """For a test that runs the chain again."""
    with few_calls():
        yield


class Run(NamedTuple):
    """A finished run.

    Attributes:
        folder: A copy that this process alone reads.
        result: What the command printed.
        made: Where the command wrote it; all workers share that.
    """

    folder: Path
    result: dict[str, Any]
    made: Path


def finished_run(factory: pytest.TempPathFactory, name: str, *arguments: object) -> Run:
    """The run of `offramp ARGUMENTS --out .../out --json`, which must succeed; made once per session.

    Args:
        factory: Pytest's own.
        name: Of the run; no two have the same.
        arguments: From the word `optimize` on.
    """

    def make(folder: Path) -> None:
        (folder / "run").mkdir()
        with few_calls():
            done = call(*arguments, "--out", folder / "run" / "out", "--json")
        assert done.code == 0, done.err
        (folder / "printed.json").write_text(done.out)

    made = made_once(factory, name, make)
    folder = Path(shutil.copytree(made / "run" / "out", factory.mktemp(name) / "out"))
    return Run(folder, json.loads((made / "printed.json").read_text()), made / "run" / "out")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small perceptron that knows the digits."""

    def make(folder: Path) -> None:
        module = zoo.load_model("zoo:mlp").module
        trained = learn.train_classifier(module, data.load("digits@train").subset(slice(600)), epochs=15)
        save_file(trained.state_dict(), folder / "mlp.safetensors")

    return made_once(tmp_path_factory, "weights", make) / "mlp.safetensors"


@pytest.fixture(scope="session")
def arguments(weights: Path) -> list[object]:
    """Of a quick run, without --out and without a goal."""
    model = ["--model", "zoo:mlp", "--weights", weights, "--exits", 1, "--epochs", 4]
    return ["optimize", *model, "--data", "digits@train", "--held-out", "digits@test"]


@pytest.fixture(scope="session")
def finished(arguments: list[object], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a promise of 5 % that can be kept."""
    return finished_run(tmp_path_factory, "finished", *arguments, "--max-loss", 0.05)


NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")  # text order is another


@pytest.fixture(scope="session")
def class_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as picture files, `train/zero/12.png` and so on."""
    return made_once(tmp_path_factory, "folders", write_class_folders)


def write_class_folders(root: Path) -> None:
    for part in ("train", "test"):
        digits = data.load(f"digits@{part}")
        pixels = np.rint(digits.take(slice(None))["x"][:, 0] * 255).astype(np.uint8)
        assert digits.labels is not None
        for name in NAMES:
            (root / part / name).mkdir(parents=True)
        for at, label in enumerate(digits.labels.tolist()):
            Image.fromarray(pixels[at]).save(root / part / NAMES[label] / f"{at}.png")


@pytest.fixture(scope="session")
def named(weights: Path, class_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that knows what its classes are called, with a promise of 5 % harm."""
    model = ["--model", "zoo:mlp", "--weights", weights, "--exits", 1, "--epochs", 1]
    samples = ["--data", f"imagefolder:{class_folders}", "--held-out", f"imagefolder:{class_folders}@test"]
    asked = [*model, *samples, "--class-names", ",".join(NAMES), "--max-loss", 0.05]
    return finished_run(tmp_path_factory, "named", "optimize", *asked)
