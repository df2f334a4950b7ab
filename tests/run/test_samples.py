"""Samples in memory, and how arrays find their inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.errors import DataError
from offramp.run import ArraySamples, Samples, bind
from offramp.run._samples import check_rows


def make_samples(count: int = 5, *, labels: bool = True) -> ArraySamples:
    pixels = np.arange(count * 4 * 3 * 2, dtype=np.uint8).reshape(count, 4, 3, 2)
    return ArraySamples(
        inputs={"x": pixels},
        ids=np.array([f"s/{at}" for at in range(count)]),
        labels=np.arange(count, dtype=np.int64) if labels else None,
    )


def test_bytes_become_floats_between_0_and_1_with_channels_first() -> None:
    samples = make_samples()
    taken = samples.take([3, 1])["x"]
    assert taken.dtype == np.float32
    assert taken.flags.c_contiguous
    np.testing.assert_array_equal(taken[1, 1], samples.inputs["x"][1, :, :, 1].astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_other_arrays_are_given_as_they_are(dtype: type) -> None:
    tokens: np.ndarray = np.arange(6, dtype=dtype).reshape(3, 2)
    samples = ArraySamples(inputs={"tokens": tokens}, ids=np.array(["a", "b", "c"]))
    np.testing.assert_array_equal(samples.take(slice(1, None))["tokens"], tokens[1:])
    assert samples.take([0])["tokens"].dtype == dtype


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 4), unique=True), st.data())
def test_a_subset_takes_what_the_whole_takes_there(positions: list[int], data: st.DataObject) -> None:
    whole = make_samples()
    part: Samples = whole.subset(positions)
    inner = data.draw(st.lists(st.integers(0, max(0, len(part) - 1)), max_size=len(part)))
    np.testing.assert_array_equal(part.take(inner)["x"], whole.take([positions[at] for at in inner])["x"])
    assert list(part.ids) == [f"s/{at}" for at in positions]
    assert part.labels is not None
    assert list(part.labels) == positions


def test_samples_can_be_read_again_and_again() -> None:
    samples = make_samples(3)
    assert [label for _, label in samples] == [label for _, label in samples] == [0, 1, 2]
    assert [inputs["x"].shape for inputs, _ in samples] == [(1, 2, 4, 3)] * 3


def test_unlabelled_samples_have_no_labels_anywhere() -> None:
    samples = make_samples(2, labels=False)
    assert samples.subset([1]).labels is None
    assert [label for _, label in samples] == [None, None]


@pytest.mark.parametrize(
    ("inputs", "ids", "labels", "said"),
    [
        ({"x": np.zeros((2, 3))}, ["a", "b"], [1], "'labels': 1"),
        ({"x": np.zeros((3, 3))}, ["a", "b"], [1, 0], "'x': 3"),
        ({"x": np.zeros((2, 3))}, ["a", "a"], None, "'a'"),
        ({"x": np.zeros((2, 3, 3), np.uint8)}, ["a", "b"], None, r"\['x'\]"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    inputs: dict[str, np.ndarray], ids: list[str], labels: list[int] | None, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        ArraySamples(inputs=inputs, ids=np.array(ids), labels=None if labels is None else np.array(labels))


@pytest.mark.parametrize("given", [np.ones(2), {"x": np.ones(2)}, {"picture": np.ones(2)}])
def test_a_single_array_fits_a_single_input_whatever_its_name(given: np.ndarray | dict[str, np.ndarray]) -> None:
    assert list(bind(given, ["x"])) == ["x"]


def test_several_arrays_are_matched_by_name_and_put_in_the_networks_order() -> None:
    assert list(bind({"b": np.ones(1), "a": np.zeros(1)}, ["a", "b"])) == ["a", "b"]


@pytest.mark.parametrize("given", [{"a": np.ones(1), "c": np.ones(1)}, {"c": np.ones(1)}, np.ones(1)])
def test_a_mismatch_names_missing_and_unknown_arrays(given: np.ndarray | dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"missing are \[.*'b'\] and unknown are \['(c|the array)'\]"):
        bind(given, ["a", "b"])


@pytest.mark.parametrize("sizes", [(2, 3), (0, 1)])
def test_arrays_with_unequal_numbers_of_rows_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=rf"equally many rows, but got \{{'a': {sizes[0]}, 'b': {sizes[1]}\}}"):
        check_rows({name: np.ones(size) for name, size in zip("ab", sizes, strict=True)})
