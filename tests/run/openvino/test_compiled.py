"""How a file is compiled for OpenVINO; what it answers is in test_openvino.py."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from graphs import make_chain
from offramp.errors import EngineError
from offramp.export import onnx as export_onnx
from offramp.run.openvino._compiled import SHARE, SIZES, CompiledFile, _Inference, _Shared, translated


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


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("rows", [1, SHARE * 2 - 1, SHARE * 3, 64, 65])
def test_shares_of_a_batch_give_what_the_whole_gives(path: Path, threads: int, rows: int) -> None:
    pictures = np.arange(3 * rows, dtype=np.float32).reshape(rows, 3) % 7
    given = [pictures, np.array([4], np.float32)]
    whole = CompiledFile(path, precision="f32", threads=1)(rows, given)
    file = CompiledFile(path, precision="f32", threads=threads)
    for _ in range(2):  # memory that a call left behind does not show in the next
        file(rows, [pictures[::-1], np.zeros(1, np.float32)])
        for got, expected in zip(file(rows, given), whole, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_only_batches_with_enough_rows_are_shared(path: Path) -> None:
    file = CompiledFile(path, precision="f32", threads=2)
    for rows in (2 * SHARE - 1, 2 * SHARE):
        file(rows, [np.zeros((rows, 3), np.float32), np.zeros(1, np.float32)])
    assert [type(request) for request in file._requests.values()] == [_Inference, _Shared]


def test_what_was_begun_has_ended_when_a_share_fails(path: Path) -> None:
    file = CompiledFile(path, precision="f32", threads=2)
    given = [np.ones((8, 3), np.float32), np.zeros(1, np.float32)]
    expected = file(8, given)
    shared = file._requests[8]
    assert isinstance(shared, _Shared)
    broken = mock.patch.object(shared._requests[1], "start", side_effect=RuntimeError("no memory"))
    with mock.patch.object(shared._requests[0], "wait", wraps=shared._requests[0].wait) as wait, broken:
        with pytest.raises(EngineError, match="no memory"):
            file(8, given)
        wait.assert_called_once()
    for got, right in zip(file(8, given), expected, strict=True):
        np.testing.assert_array_equal(got, right)


def test_the_precision_is_the_one_asked_for(path: Path) -> None:
    file = CompiledFile(path, precision="f32", threads=1)
    compiled = file._core.compile_model(file._model, "CPU", file._config)
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


def test_what_openvino_raises_is_translated_and_chained() -> None:
    with pytest.raises(EngineError, match="second line") as caught, translated(Path("m.onnx")):
        raise RuntimeError("first line\n second line\n")
    assert isinstance(caught.value.__cause__, RuntimeError)
