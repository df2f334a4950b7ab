"""The digits that ship with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from offramp.data import check_samples, load
from offramp.errors import UnknownReference


@pytest.mark.parametrize(("part", "count"), [("train", 1000), ("test", 797)])
def test_digits_look_like_mnist(part: str, count: int) -> None:
    samples = load(f"digits@{part}")
    assert len(samples) == count
    assert samples.ids[1] == f"digits/{part}/1"
    check_samples(samples, (1, 28, 28), 10)


def test_both_parts_together_are_all_digits_once() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    labels = np.concatenate([load(f"digits@{part}").labels for part in ("train", "test")])
    np.testing.assert_array_equal(np.bincount(labels), np.bincount(datasets.load_digits().target))


def test_the_parts_never_change() -> None:
    labels = load("digits@train").labels
    assert labels is not None
    assert labels[:8].tolist() == [6, 6, 6, 2, 5, 6, 6, 2]  # evidence stores ids, so the order is a promise


def test_digits_have_no_validation_part() -> None:
    with pytest.raises(UnknownReference, match="train and test"):
        load("digits@val")
