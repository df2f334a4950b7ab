"""Distances by one product of matrices."""

from __future__ import annotations

import pytest
import torch

from offramp.nn._distance import Distances


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_they_are_the_euclidean_distances(shift: float) -> None:
    random = torch.Generator().manual_seed(0)
    rows, means = torch.randn(7, 5, generator=random) + shift, torch.randn(3, 5, generator=random) + shift
    distances = Distances(3, 5)
    distances.set_means(means)
    # Far from 0 the differences themselves have fewer digits.
    torch.testing.assert_close(distances(rows), torch.cdist(rows, means), atol=1e-5 * (1 + shift / 10), rtol=0)


def test_a_row_at_a_mean_has_no_distance_and_no_nan() -> None:
    distances = Distances(2, 3)
    distances.set_means(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]]))
    torch.testing.assert_close(distances(torch.tensor([[1.0, 2.0, 3.0]])), torch.tensor([[0.0, 34**0.5]]))


def test_they_know_whether_there_are_means() -> None:
    distances = Distances(2, 3)
    assert not distances.is_set
    distances.set_means(torch.zeros(2, 3))
    assert distances.is_set
