"""Files whose weights lie beside them, as if they were too many for one: read by every runtime, and not mixed up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from offramp import attach
from offramp.errors import EngineError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run import _external, data_file, fits_in_one_file
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.run import torch as run_torch
from offramp.transform import backbone

SMALL = 20_000  # bytes instead of 2 GB
X = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32)
KINDS = ("exits", "no exits", "dense", "static")


def make(kind: str, seed: int = 0) -> Graph:
    torch.manual_seed(seed)
    layers = [nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Linear(64, 5)).eval()
    graph = attach.exits(net, torch.zeros(2, 16), count=0, placement=["1", "3"], head=["light"] * 2)
    return backbone(graph) if kind in ("no exits", "static") else graph


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each kind, in one folder each, with the weights beside it; and one of other weights."""
    folder = tmp_path_factory.mktemp("external")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_external, "LIMIT", SMALL)
        for kind in KINDS:
            (folder / kind).mkdir()
            export_onnx.save(make(kind), folder / kind / "model.onnx", dense=kind in ("dense", "static"))
        (folder / "other").mkdir()
        export_onnx.save(make("exits", seed=1), folder / "other" / "model.onnx")
    return folder


LOADS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "onnx": ("exits", run_onnx.load),
    "onnx whole": ("exits", lambda path: run_onnx.load(path, staged=False)),
    "onnx, no exits": ("no exits", run_onnx.load),
    "onnx, dense": ("dense", run_onnx.load_dense),
    "openvino": ("exits", run_openvino.load),
    "openvino, two threads": ("exits", lambda path: run_openvino.load(path, threads=2)),
    "openvino, no exits": ("no exits", run_openvino.load),
    "openvino, dense": ("dense", run_openvino.load_dense),
    "openvino, static": ("static", run_openvino.load_static),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_lie_beside_the_file(written: Path, kind: str) -> None:
    path = written / kind / "model.onnx"
    assert path.stat().st_size < SMALL < data_file(path).stat().st_size
    assert sorted(one.name for one in path.parent.iterdir()) == ["model.onnx", "model.onnx.data"]


def logits_of(answer: Any) -> np.ndarray:
    logits: np.ndarray = answer if isinstance(answer, np.ndarray) else answer.logits
    return logits[:, -1] if logits.ndim == 3 else logits  # of a dense network the final exit's


@pytest.mark.parametrize("name", list(LOADS))
def test_every_runtime_finds_them_whatever_the_current_folder(
    written: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, load = LOADS[name]
    monkeypatch.chdir(written / kind)
    runtime = load(Path("model.onnx"))
    monkeypatch.chdir(tmp_path)
    wanted = logits_of(run_torch.load(backbone(make(kind)))({"x": X}))
    np.testing.assert_allclose(logits_of(runtime({"x": X})), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", [name for name in LOADS if "static" not in name])
def test_weights_that_are_not_there_are_missed_by_name(written: Path, name: str, tmp_path: Path) -> None:
    kind, load = LOADS[name]
    shutil.copy(written / kind / "model.onnx", tmp_path)
    with pytest.raises(EngineError, match=r"has its weights in model\.onnx\.data, but they are not beside it"):
        load(tmp_path / "model.onnx")


@pytest.mark.parametrize("name", [name for name in LOADS if "static" not in name])
def test_weights_that_are_cut_short_are_not_read(written: Path, name: str, tmp_path: Path) -> None:
    kind, load = LOADS[name]
    shutil.copytree(written / kind, tmp_path / "cut")
    beside = tmp_path / "cut" / "model.onnx.data"
    beside.write_bytes(beside.read_bytes()[:-100])
    with pytest.raises(EngineError, match="or not all"):
        load(tmp_path / "cut" / "model.onnx")


@pytest.mark.parametrize("name", ["onnx", "onnx whole", "openvino"])
def test_the_weights_of_another_file_are_not_taken_for_its_own(written: Path, name: str, tmp_path: Path) -> None:
    shutil.copytree(written / "exits", tmp_path / "mixed")
    shutil.copy(written / "other" / "model.onnx.data", tmp_path / "mixed")
    with pytest.raises(EngineError, match=r"must hold the weights of model\.onnx, but holds others"):
        LOADS[name][1](tmp_path / "mixed" / "model.onnx")


def test_the_limit_is_below_what_protobuf_can_write() -> None:
    assert fits_in_one_file(2_000_000_000)
    assert not fits_in_one_file(2**31)


def test_the_file_is_valid_for_others_too(written: Path) -> None:
    for kind in KINDS:
        path = written / kind / "model.onnx"
        onnx.checker.check_model(str(path), full_check=True)
        assert path.stat().st_size < path.with_name("model.onnx.data").stat().st_size
