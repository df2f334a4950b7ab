"""Pictures that are decoded when they are taken."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from offramp.data._pictures import PictureSamples, fit
from offramp.errors import DataError


def make_samples(
    pictures: list[Image.Image], *, size: tuple[int, int] | None = None, channels: int = 3, labels: bool = True
) -> PictureSamples:
    return PictureSamples(
        open_picture=partial(list.__getitem__, pictures),
        positions=np.arange(len(pictures)),
        ids=np.array([f"p/{at}" for at in range(len(pictures))]),
        labels=np.arange(len(pictures)) if labels else None,
        image_size=size,
        channels=channels,
    )


GREYS = [Image.new("L", (4, 6), shade) for shade in (0, 51, 255)]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grey_picture_can_be_taken_in_grey_and_in_color(channels: int) -> None:
    taken = make_samples(GREYS, channels=channels).take([1, 2])["x"]
    assert taken.shape == (2, channels, 6, 4)
    assert taken.dtype == np.float32
    np.testing.assert_allclose(taken[:, 0, 0, 0], [0.2, 1], rtol=1e-6)  # one rounding


def test_a_subset_of_a_subset_keeps_ids_labels_and_pictures_together() -> None:
    part = make_samples(GREYS).subset([2, 1]).subset(slice(1, None))
    assert part.ids.tolist() == ["p/1"]
    assert [(round(float(inputs["x"].max()), 3), label) for inputs, label in part] == [(0.2, 1)]


def test_pictures_without_labels_yield_none() -> None:
    assert [label for _, label in make_samples(GREYS, labels=False).subset([0])] == [None]


def test_taking_nothing_gives_an_empty_batch() -> None:
    assert make_samples(GREYS, size=(2, 2)).take([])["x"].shape == (0, 3, 2, 2)


def test_pictures_of_several_sizes_need_one_to_be_named() -> None:
    pictures = [*GREYS, Image.new("L", (5, 5))]
    with pytest.raises(DataError, match="Give an image size"):
        make_samples(pictures).take(slice(None))
    assert make_samples(pictures, size=(3, 3)).take(slice(None))["x"].shape == (4, 3, 3, 3)


def test_pictures_with_more_than_8_bits_are_refused() -> None:
    with pytest.raises(DataError, match="8 bits"):
        make_samples([Image.new("I;16", (2, 2))]).take([0])


def test_what_pillow_says_is_translated() -> None:
    def fail(at: int) -> Image.Image:
        raise OSError("image file is truncated")

    samples = PictureSamples(open_picture=fail, positions=np.arange(1), ids=np.array(["a"]), labels=None)
    with pytest.raises(DataError, match="truncated"):
        samples.take([0])


@settings(deadline=None, max_examples=40)
@given(st.tuples(*[st.integers(1, 40)] * 4))
def test_fit_always_gives_the_asked_size(sizes: tuple[int, int, int, int]) -> None:
    width, height, wanted_height, wanted_width = sizes
    fitted = fit(Image.new("L", (width, height)), (wanted_height, wanted_width))
    assert fitted.size == (wanted_width, wanted_height)


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    picture = Image.new("L", (4, 6))
    assert fit(picture, (6, 4)) is picture


def test_the_center_is_kept() -> None:
    picture = Image.new("L", (100, 40))
    picture.paste(255, (45, 15, 55, 25))
    pixels = np.asarray(fit(picture, (16, 16)))
    assert pixels[7:9, 7:9].min() > 200
    assert pixels[0].max() == pixels[:, 0].max() == 0
