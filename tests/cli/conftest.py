"""One finished run for all tests of the commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import save_file

from commands import call
from offramp import build, data, learn
from offramp.cli import _batches
from offramp.measure import _latency


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """On networks this small, several threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@contextmanager
def few_calls() -> Iterator[None]:
    """Nobody reads the times of these runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_batches, "CALLS", {1: 30, 64: 6})
        patch.setattr(_batches, "LEAST_S", 0.0)
        patch.setattr(_latency, "TURN_S", 0.0)
        yield


@pytest.fixture
def hurry() -> Iterator[None]:
    """For a test that runs the chain again."""
    with few_calls():
        yield


class Run(NamedTuple):
    """A finished run."""

    folder: Path
    result: dict[str, Any]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small perceptron that knows the digits."""
    module = build.load_model("zoo:mlp").module
    trained = learn.train_classifier(module, data.load("digits@train").subset(slice(600)), epochs=15)
    path = tmp_path_factory.mktemp("weights") / "mlp.safetensors"
    save_file(trained.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def arguments(weights: Path) -> list[object]:
    """Of a quick run, without --out and without a goal."""
    model = ["--model", "zoo:mlp", "--weights", weights, "--exits", 1, "--epochs", 4]
    return ["optimize", *model, "--data", "digits@train", "--held-out", "digits@test"]


@pytest.fixture(scope="session")
def finished(arguments: list[object], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a promise of 5 % that can be kept."""
    folder = tmp_path_factory.mktemp("run") / "out"
    with few_calls():
        done = call(*arguments, "--max-loss", 0.05, "--out", folder, "--json")
    assert done.code == 0, done.err
    return Run(folder, done.json)
