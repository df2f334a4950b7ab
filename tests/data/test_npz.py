"""NumPy archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.data import load
from offramp.errors import DataError

BYTES = np.arange(48, dtype=np.uint8).reshape(2, 4, 2, 3)


def write(path: Path, **arrays: Any) -> str:
    np.savez(path / "set.npz", **arrays)
    return f"npz:{path / 'set.npz'}"


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (BYTES, (3, 4, 2)),
        (BYTES[..., 0], (1, 4, 2)),
        (np.zeros((2, 3, 4, 2), np.float64), (3, 4, 2)),
        (np.zeros((2, 7), np.float32), (7,)),
    ],
)
def test_every_documented_form_is_read(tmp_path: Path, x: np.ndarray, shape: tuple[int, ...]) -> None:
    taken = load(write(tmp_path, x=x)).take(slice(None))["x"]
    assert taken.shape == (2, *shape)
    assert taken.dtype == np.float32


def test_labels_are_optional(tmp_path: Path) -> None:
    assert load(write(tmp_path, x=BYTES)).labels is None
    np.testing.assert_array_equal(load(write(tmp_path, x=BYTES, y=np.array([3, 1], np.uint8))).labels, [3, 1])


@pytest.mark.parametrize("y", [np.array([3.0, 1.0]), np.array([[3], [1]]), np.array([3, 1], np.uint8)])
def test_labels_may_come_as_floats_or_in_a_column(tmp_path: Path, y: np.ndarray) -> None:
    np.testing.assert_array_equal(load(write(tmp_path, x=BYTES, y=y)).labels, [3, 1])


@pytest.mark.parametrize(
    "arrays", [{"y": np.array(["dog", "cat "])}, {"y": np.array([1, 0]), "class_names": np.array(["cat", "dog"])}]
)
def test_named_labels_are_mapped_by_name(tmp_path: Path, arrays: dict[str, Any]) -> None:
    reference = write(tmp_path, x=BYTES, **arrays)
    np.testing.assert_array_equal(load(reference).labels, [1, 0])
    np.testing.assert_array_equal(load(reference, class_names=("dog", "hen", "cat")).labels, [0, 2])


@pytest.mark.parametrize("y", [np.array([0.5, 1]), np.array([[0, 1], [1, 0]]), np.array([0, 1, 2]), np.array(0)])
def test_labels_that_cannot_be_used_are_absent_if_there_is_someone_to_tell(tmp_path: Path, y: np.ndarray) -> None:
    said: list[str] = []
    samples = load(write(tmp_path, x=BYTES, y=y), warn=said.append)
    assert (len(samples), samples.labels, len(said)) == (2, None, 1)


@pytest.mark.parametrize(
    ("suffix", "split", "part"),
    [("@test", None, "test"), ("@train", "test", "train"), ("", None, "train"), ("", "test", "test")],
)
def test_the_suffix_beats_the_wish_and_train_is_the_default(
    tmp_path: Path, suffix: str, split: str | None, part: str
) -> None:
    reference = write(tmp_path, x_train=BYTES, y_train=[0, 0], x_test=BYTES, y_test=[1, 1])
    samples = load(reference + suffix, split=split)
    assert samples.ids[0] == f"{tmp_path.name}/set/{part}/0"
    assert samples.labels is not None
    assert samples.labels[0] == (part == "test")


def test_a_file_without_parts_serves_any_wish_but_no_demand(tmp_path: Path) -> None:
    reference = write(tmp_path, x=BYTES)
    assert len(load(reference, split="test")) == 2
    with pytest.raises(DataError, match="key x_test, but has"):
        load(f"{reference}@test")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"pictures": BYTES}, r"x_train or x, but has \['pictures'\]"),
        ({"x": np.zeros((2, 3), np.int64)}, r"but is int64 \[2, 3\]"),
        ({"x": np.zeros(2, np.float32)}, r"but is float32 \[2\]"),
        ({"x": np.array([None, 1])}, "cannot be read"),
        ({"x": BYTES, "y": np.array([0.5, 1])}, "integers"),
        ({"x": BYTES, "y": np.array([[0, 1], [1, 0]])}, r"integers \[n\]"),
        ({"x": BYTES, "y": np.array([0, np.nan])}, "integers"),
        ({"x": BYTES, "y": np.array([0, 1, 2])}, r"one label per sample \(2\)"),
        ({"x": BYTES, "y": np.array([0, 2]), "class_names": np.array(["cat", "dog"])}, "Name every class"),
    ],
)
def test_arrays_of_another_form_are_refused(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(write(tmp_path, **arrays))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", BYTES)
    (tmp_path / "text.npz").write_text("hello")
    for name, said in (("one.npy", "is one array"), ("text.npz", "NumPy archive"), ("none.npz", "is none")):
        with pytest.raises(DataError, match=said):
            load(f"npz:{tmp_path / name}")
