"""How a file is compiled for OpenVINO; what it answers is in test_openvino.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphs import make_chain
from offramp.errors import EngineError
from offramp.export import onnx as export_onnx
from offramp.run._compiled import SIZES, CompiledFile, translated


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx.save(make_chain(1), tmp_path_factory.mktemp("chain") / "model.onnx")


def test_only_the_first_batch_sizes_get_models_of_their_own(path: Path) -> None:
    file = CompiledFile(path, precision="f32", threads=1)
    for rows in range(SIZES + 3):
        file(rows, [np.zeros((rows, 3), np.float32), np.zeros(1, np.float32)])
    assert set(file._requests) == set(range(1, SIZES + 1))


def test_other_sizes_go_in_pieces_and_padding_comes_out_nowhere(path: Path) -> None:
    file = CompiledFile(path, precision="f32", threads=1)
    thresholds = np.zeros(1, np.float32)
    for rows in (1, 2, 3, 5):
        file(rows, [np.zeros((rows, 3), np.float32), thresholds])
    pictures = np.arange(39, dtype=np.float32).reshape(13, 3) % 7
    single = [file(1, [pictures[at : at + 1], thresholds]) for at in range(13)]
    for at, result in enumerate(file(13, [pictures, thresholds])):
        np.testing.assert_array_equal(result, np.concatenate([one[at] for one in single]))


def test_the_precision_is_the_one_asked_for(path: Path) -> None:
    file = CompiledFile(path, precision="f32", threads=1)
    compiled = file._core.compile_model(file._model, "CPU", file._config)
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


def test_what_openvino_raises_is_translated_and_chained() -> None:
    with pytest.raises(EngineError, match="second line") as caught, translated(Path("m.onnx")):
        raise RuntimeError("first line\n second line\n")
    assert isinstance(caught.value.__cause__, RuntimeError)
