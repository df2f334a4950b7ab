"""Features in another order."""

from __future__ import annotations

import pytest
import torch

from offramp.errors import OptionError
from offramp.nn import build_layers


def test_features_are_taken_by_number() -> None:
    layers, shape = build_layers("take 2 0 0", (3,))
    assert shape == (3,)
    assert layers(torch.tensor([[5.0, 6.0, 7.0]])).tolist() == [[7.0, 5.0, 5.0]]


def test_the_numbers_are_stored_with_the_weights() -> None:
    assert list(build_layers("take 1", (3,))[0].state_dict()) == ["take1.numbers"]


def test_a_number_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match="reads 3 features, numbered from 0, but names number 3"):
        build_layers("take 0 3", (3,))
