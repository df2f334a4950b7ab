"""Samples that no network could answer are refused before anything runs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from offramp.data import check_samples
from offramp.data._pictures import PictureSamples
from offramp.errors import DataError
from offramp.run import ArraySamples


def make_samples(x: np.ndarray, labels: list[int] | None = None) -> ArraySamples:
    ids = np.array([f"s/{at}" for at in range(len(x))], dtype=np.str_)
    return ArraySamples(inputs={"x": x}, ids=ids, labels=None if labels is None else np.array(labels, np.int64))


def pixels(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(
    "samples",
    [
        make_samples(pixels(0, 0.5, 1), [0, 1, 2]),
        make_samples(pixels(0.5)),
        make_samples(np.zeros((2, 1, 1, 1), np.uint8), [0, 2]),
    ],
)
def test_good_samples_pass(samples: ArraySamples) -> None:
    given = {name: array.copy() for name, array in samples.inputs.items()}
    check_samples(samples, (1, 1, 1), 3)
    assert {name: array.tobytes() for name, array in given.items()} == {
        name: array.tobytes() for name, array in samples.inputs.items()
    }  # they come through as they are


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (make_samples(pixels()), "at least one sample"),
        (make_samples(np.zeros((2, 3, 4, 4), np.float32)), r"\[1, 1, 1\], but the samples are \[3, 4, 4\]"),
        (make_samples(pixels(0, np.nan)), "sample 1 has NaN"),
        (make_samples(pixels(0, np.inf)), "sample 1 has NaN or infinite"),
        (make_samples(pixels(0, 255)), "runs from 0 to 255"),
        (make_samples(pixels(-0.5, 1)), "runs from -0.5 to 1"),
        (make_samples(pixels(0, 1), [0, 3]), "0 .. 2, but run from 0 to 3"),
        (make_samples(pixels(0, 1), [-1, 1]), "run from -1 to 1"),
        (make_samples(pixels(0, 1), [1, 1]), "all 2 are 1"),
    ],
)
def test_bad_samples_are_refused_with_what_was_found(samples: ArraySamples, said: str) -> None:
    with pytest.raises(DataError, match=said):
        check_samples(samples, (1, 1, 1), 3)


def test_nan_is_found_far_behind_the_first_samples() -> None:
    with pytest.raises(DataError, match="sample 2999"):
        check_samples(make_samples(pixels(*[0.5] * 2999, np.nan)), (1, 1, 1), 3)


def test_features_may_leave_the_range_of_pixels() -> None:
    far = np.array([[-7.0, 40.0]])
    check_samples(make_samples(far), (2,), 3)
    with pytest.raises(DataError, match="runs from -7 to 40"):
        check_samples(make_samples(far.reshape(1, 1, 1, 2)), (1, 1, 2), 3)  # the same values as a picture


def test_several_inputs_are_checked_by_name() -> None:
    tokens = np.ones((2, 4), np.int64)
    samples = ArraySamples(inputs={"ids": tokens, "mask": tokens}, ids=np.array(["a", "b"]))
    check_samples(samples, {"ids": (4,), "mask": (4,)}, 2)
    with pytest.raises(DataError, match=r"reads mask as \[5\]"):
        check_samples(samples, {"ids": (4,), "mask": (5,)}, 2)


def test_only_the_first_picture_file_is_opened() -> None:
    opened: list[int] = []

    def open_picture(at: int) -> Image.Image:
        opened.append(at)
        return Image.new("RGB", (2, 2))

    samples = PictureSamples(
        open_picture=open_picture, positions=np.arange(3), ids=np.array(["a", "b", "c"]), labels=np.array([0, 1, 1])
    )
    check_samples(samples, (3, 2, 2), 2)
    assert opened == [0]
