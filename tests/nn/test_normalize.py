from __future__ import annotations

import pytest
import torch

from offramp.errors import OptionError
from offramp.nn import Normalize


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 4, 5)])
def test_the_channel_is_the_axis_after_the_batch(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape)
    got = Normalize([0.1, 0.2, 0.3], [1, 2, 4])(x)
    assert torch.equal(got[:, 1], (x[:, 1] - 0.2) / 2)
    assert got.shape == shape


def test_its_numbers_are_stored_with_the_weights() -> None:
    assert set(Normalize([0.5], [0.25]).state_dict()) == {"mean", "std"}


@pytest.mark.parametrize(
    ("mean", "std"), [([], []), ([0.5], []), ([0.5], [0.2, 0.2]), ([0.5], [0.0]), ([0.5, 0.5], [1.0, -1.0])]
)
def test_unequal_lengths_and_deviations_that_are_not_positive_are_refused(mean: list[float], std: list[float]) -> None:
    with pytest.raises(OptionError, match="one entry per channel, finite, and std be positive"):
        Normalize(mean, std)


@pytest.mark.parametrize(("mean", "std"), [([float("nan")], [1.0]), ([0.0], [float("nan")]), ([0.0], [float("inf")])])
def test_numbers_that_are_not_finite_are_refused(mean: list[float], std: list[float]) -> None:
    with pytest.raises(OptionError, match="finite"):
        Normalize(mean, std)
