"""What is found before anything is trained, and the page that says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any  # what layers give
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commands import Done, call
from offramp import compress, learn
from offramp.errors import MissingExtra
from offramp.export import onnx
from offramp.export._body import trace_bodies
from offramp.pipeline._probe import CHECKS

Optimize = Callable[..., Done]
DOCS = Path(__file__).parents[2] / "docs"


class Pictures(nn.Module):
    """Small, with something between its convolutions."""

    def __init__(self, between: Callable[[Tensor], Tensor] = lambda h: h) -> None:
        super().__init__()
        self.a, self.b, self.o = nn.Conv2d(1, 8, 5, 2, 2), nn.Conv2d(8, 16, 5, 2, 2), nn.Linear(16, 10)
        self.between = between

    def forward(self, x: Tensor) -> Any:
        return self.o(torch.relu(self.b(self.between(torch.relu(self.a(x))))).mean((2, 3)))


class OnlyOnPictures(Pictures):
    """Depends on its neighbors where a picture is dark, which no random example is."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(torch.where(x.mean((1, 2, 3), keepdim=True) < 0.3, x - x.mean(0), x))


class Squeezed(Pictures):
    def forward(self, x: Tensor) -> Any:
        return self.o(torch.relu(self.b(torch.relu(self.a(x)))).mean((2, 3), keepdim=True).squeeze())


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": Pictures,
    "standardized": lambda: Pictures(lambda h: h - h.mean()),
    "dropped": lambda: Pictures(lambda h: F.dropout(h, 0.2)),
    "only on pictures": OnlyOnPictures,
    "squeezed": Squeezed,
    "antialias": lambda: Pictures(lambda h: F.interpolate(h, (9, 9), mode="bilinear", antialias=True)),
    "divisor": lambda: Pictures(lambda h: F.avg_pool2d(h, 3, 2, divisor_override=5)),
    "circular": lambda: Pictures(lambda h: F.pad(h, (1, 2, 1, 2), mode="circular")),
    "product": lambda: Pictures(lambda h: h.cumprod(1)),
}


def build(name: str) -> nn.Module:
    """What `--model` names."""
    torch.manual_seed(0)
    return NETWORKS[name]()


FOUND = {
    "standardized": (("--exits", "1"), "Pictures must answer each sample by itself, but in its own forward"),
    "dropped": (("--exits", "1"), "Pictures must answer without chance in evaluation mode"),
    "only on pictures": (("--exits", "1"), "OnlyOnPictures must answer each sample by itself"),
    "squeezed": (("--exits", "1"), "Squeezed must answer one sample alone"),
    "antialias": (("--exits", "1"), "_upsample_bilinear2d_aa after 'a'.* Choose the engine onnxruntime"),
    "divisor": (("--engine", "onnxruntime"), "onnxruntime f32 must answer as PyTorch does.*avg_pool2d after 'a'"),
    "circular": (("--exits", "1"), "--engine openvino must run .* but refuses it .* Try --engine onnxruntime"),
    "product": (("--exits", "1"), "cannot be written as ONNX"),
}  # fmt: skip


@pytest.fixture
def optimize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Optimize:
    """Runs `offramp optimize` on the digits with a network of this file; training it would be an error."""
    (tmp_path / "probed.py").write_text(
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('probed_networks', {str(Path(__file__))!r})\n"
        "module = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(module)\n"
        + "".join(f"def net{at}(): return module.build({name!r})\n" for at, name in enumerate(NETWORKS))
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(name: str, *options: object) -> Done:
        with mock.patch.object(learn, "distill_heads", side_effect=AssertionError("it trains")):
            return call(
                "optimize", "--model", f"probed:net{list(NETWORKS).index(name)}", "--data", "digits@train",
                "--held-out", "digits@test", "--max-loss", "0.02", "--out", tmp_path / "out", "--json", *options,
            )  # fmt: skip

    return run


@pytest.mark.parametrize("name", FOUND)
def test_it_is_found_before_training_and_nothing_is_written(name: str, optimize: Optimize, tmp_path: Path) -> None:
    options, sentence = FOUND[name]
    done = optimize(name, *options)
    assert done.code == 2, done.err
    assert re.search(sentence, " ".join(done.err.split())), done.err
    assert {path.name for path in tmp_path.iterdir()} <= {"probed.py", "__pycache__"}


def test_a_sound_network_goes_on_to_training(optimize: Optimize) -> None:
    with pytest.raises(AssertionError, match="it trains"):
        optimize("plain", "--exits", "1")


def test_int8_without_its_package_is_found_before_training(optimize: Optimize, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "check_installed", mock.Mock(side_effect=MissingExtra("int8 needs NNCF")))
    done = optimize("plain", "--exits", "1", "--precision", "int8")
    assert (done.code, "int8 needs NNCF" in done.err) == (2, True)


def test_a_temporary_folder_that_cannot_be_written_is_found_before_training(
    optimize: Optimize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    done = optimize("plain", "--exits", "1")
    assert (done.code, "a temporary folder must be writable" in done.err) == (2, True)


@pytest.mark.usefixtures("hurry")
def test_the_run_goes_on_with_what_the_probe_exported(tmp_path: Path, weights: Path) -> None:
    with mock.patch.object(onnx, "trace_bodies", wraps=trace_bodies) as traced:
        done = call(
            "optimize", "--model", "zoo:mlp", "--weights", weights, "--data", "digits@train", "--held-out",
            "digits@test", "--exits", "1", "--epochs", "1", "--max-loss", "0.02", "--out", tmp_path / "out", "--json",
        )  # fmt: skip
    assert done.code in (0, 3), done.err
    bodies = [node.name for call in traced.call_args_list for node in call.args[0]]
    assert sorted(name for name in bodies if name.startswith("stage")) == ["stage0", "stage1"]


def test_the_page_lists_every_check_in_order() -> None:
    page = (DOCS / "reference" / "probe.md").read_text()
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \| (.+?) \|$", page, re.M)
    assert rows == [(check.name, check.finds, check.when) for check in CHECKS]


def test_samples_are_taken_from_all_over() -> None:
    from offramp.pipeline._probe import _take

    train = mock.MagicMock(__len__=lambda self: 100)
    _take(mock.Mock(train=train))
    assert np.array_equal(train.take.call_args.args[0], [0, 14, 28, 42, 56, 70, 84, 99])
