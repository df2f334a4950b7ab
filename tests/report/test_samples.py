from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from offramp.measure import Evidence, exits_taken
from offramp.report._samples import SHOWN, as_picture, find_rows, shares_by_class
from offramp.run import ArraySamples

LIMITS = [0.875, 0.5]


def test_shares_of_a_class_sum_to_one(evidence: Evidence) -> None:
    shares, names = shares_by_class(evidence, LIMITS, "max_probability")
    assert names == ["0", "1", "2"]
    assert shares.shape == (3, 3)
    assert shares.sum(axis=1) == pytest.approx(np.ones(3))


def test_samples_are_ordered_by_sureness_at_their_exit(evidence: Evidence, samples: ArraySamples) -> None:
    rows = find_rows(evidence, samples, LIMITS, "max_probability")
    taken = exits_taken(evidence, LIMITS, "max_probability")
    assert [row.name for row in rows] == ["exit 0", "exit 1", "final"]
    assert [row.count for row in rows] == np.bincount(taken, minlength=3).tolist()
    assert all(len(row.easiest) <= SHOWN for row in rows)
    best = int(np.argmax(evidence.scores["max_probability"][:, 0]))
    assert rows[0].easiest[0].text.startswith(f"s{best}:")


def test_easiest_and_hardest_never_share_a_sample(evidence: Evidence, samples: ArraySamples) -> None:
    for row in find_rows(evidence, samples, [0.0, 0.5], "max_probability"):
        assert {one.text for one in row.easiest} & {one.text for one in row.hardest} == set()


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_pixels_become_a_picture(channels: int, mode: str) -> None:
    text = as_picture(np.ones((channels, 8, 4), np.float32))
    assert text is not None
    image = Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2])))
    assert (image.mode, image.size) == (mode, (36, 72))


@pytest.mark.parametrize(
    "array", [np.zeros(5, np.float32), np.zeros((2, 4, 4), np.float32), np.zeros((1, 4, 4), np.int64)]
)
def test_what_is_no_picture_gives_none(array: np.ndarray) -> None:
    assert as_picture(array) is None
