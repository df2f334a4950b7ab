"""The idx files of MNIST."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from offramp.data import load
from offramp.errors import DataError, UnknownReference


def write_idx(path: Path, array: np.ndarray) -> None:
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for prefix, count in (("train", 4), ("t10k", 2)):
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", np.arange(count * 6).reshape(count, 2, 3))
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", np.arange(count))
    return tmp_path


@pytest.mark.parametrize(("part", "count"), [("train", 4), ("test", 2)])
def test_each_part_has_its_files(folder: Path, part: str, count: int) -> None:
    samples = load(f"mnist:{folder}@{part}")
    np.testing.assert_array_equal(samples.labels, np.arange(count))
    expected = np.arange(count * 6, dtype=np.float32).reshape(count, 1, 2, 3) / np.float32(255)
    np.testing.assert_array_equal(samples.take(slice(None))["x"], expected)
    assert samples.ids[0] == f"{folder.name}/{part}/0"


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"lacks \['t10k-labels-idx1-ubyte.gz'\]"):
        load(f"mnist:{folder}@test")


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"no idx, but long enough for its head", mtime=0),
        gzip.compress(bytes((0, 0, 8, 3)) + struct.pack(">3I", 9, 9, 9), mtime=0),
        gzip.compress(b"cut short", mtime=0)[:-9],
    ],
)
def test_broken_files_are_named(folder: Path, content: bytes) -> None:
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz must"):
        load(f"mnist:{folder}@test")


def test_mnist_has_no_validation_part(folder: Path) -> None:
    with pytest.raises(UnknownReference, match="train and test"):
        load(f"mnist:{folder}@val")
