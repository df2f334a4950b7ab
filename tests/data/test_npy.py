"""One array in a file, read row by row."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from offramp.data import check_samples, load
from offramp.errors import DataError
from offramp.run import Samples

BYTES = np.arange(120, dtype=np.uint8).reshape(5, 4, 2, 3)


def write(path: Path, array: np.ndarray) -> str:
    np.save(path / "set.npy", array)
    return f"npy:{path / 'set.npy'}"


@pytest.mark.parametrize(
    "x",
    [
        BYTES,
        BYTES[..., 0],
        np.asfortranarray(BYTES),
        np.linspace(0, 1, 120).reshape(5, 3, 4, 2),
        np.zeros((2, 7), np.float32),
    ],
)
def test_it_gives_what_an_archive_of_the_same_array_gives(tmp_path: Path, x: np.ndarray) -> None:
    np.savez(tmp_path / "set.npz", x=x)
    lazy, whole = load(write(tmp_path, x)), load(f"npz:{tmp_path / 'set.npz'}")
    assert isinstance(lazy, Samples)
    assert lazy.labels is None
    np.testing.assert_array_equal(lazy.ids, whole.ids)
    for positions in (slice(None), slice(1, 2), [1, 0], np.array([], np.int64)):
        got, wanted = lazy.take(positions)["x"], whole.take(positions)["x"]
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_a_part_of_a_part_keeps_its_names(tmp_path: Path) -> None:
    part = load(write(tmp_path, BYTES)).subset([4, 2, 0]).subset(slice(1, None))
    assert [name.rsplit("/", 1)[1] for name in part.ids] == ["2", "0"]
    np.testing.assert_array_equal(part.take([1])["x"], load(write(tmp_path, BYTES)).take([0])["x"])
    assert [inputs["x"].shape for inputs, _ in part] == [(1, 3, 4, 2)] * 2


def test_only_the_rows_taken_are_read(tmp_path: Path) -> None:
    samples = load(write(tmp_path, np.zeros((10_000, 28, 28), np.uint8)))
    tracemalloc.start()
    for start in range(0, 10_000, 64):
        samples.subset(slice(start, start + 64)).take(slice(None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000 * 28 * 28 / 4


def test_samples_that_do_not_fit_are_found_when_they_are_taken(tmp_path: Path) -> None:
    x = np.zeros((5, 3), np.float32)
    x[3, 1] = np.nan
    samples = load(write(tmp_path, x))
    check_samples(samples, (3,), 2)
    samples.take([0, 1])
    with pytest.raises(DataError, match="sample 3 has NaN"):
        samples.take([0, 3])
    with pytest.raises(DataError, match="sample 3 has NaN"):
        samples.take(slice(2, 5))


@pytest.mark.parametrize(
    ("array", "said"), [(np.zeros((2, 3), np.int64), "must be uint8"), (np.float32(3), "must be uint8")]
)
def test_arrays_of_another_form_are_refused(tmp_path: Path, array: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(write(tmp_path, array))


def test_what_is_no_array_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("hello")
    np.savez(tmp_path / "set.npz", x=BYTES)
    for place, said in [("none.npy", "needs a file"), ("text.npy", "numpy.save"), ("set.npz", "npz:")]:
        with pytest.raises(DataError, match=said):
            load(f"npy:{tmp_path / place}")


def test_there_are_no_parts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Leave it out"):
        load(write(tmp_path, BYTES) + "@test")
