"""How features become one vector per sample."""

from __future__ import annotations

import pytest
import torch

from offramp.errors import OptionError
from offramp.nn._pooled import ChannelsFirst, Pooled, is_channels_last, mean_of_tokens


@pytest.mark.parametrize(
    ("shape", "size"), [((6,), 6), ((5, 6), 6), ((6, 4, 4), 6), ((4, 4, 6), 6), ((4, 4, 4), 4), ((6, 1, 1), 6)]
)
def test_every_layout_gives_its_features(shape: tuple[int, ...], size: int) -> None:
    pooled = Pooled(shape)
    assert pooled.size == size
    assert pooled(torch.randn(3, *shape)).shape == (3, size)


@pytest.mark.parametrize("shape", [(), (0,), (1, 2, 3, 4)])
def test_features_of_no_known_layout_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="features must be"):
        Pooled(shape)


def test_a_vector_stays_as_it_is() -> None:
    features = torch.randn(3, 6)
    assert Pooled((6,))(features) is features


def test_channels_last_maps_are_turned() -> None:
    assert is_channels_last((4, 4, 6))
    assert not is_channels_last((6, 4, 4))
    assert ChannelsFirst()(torch.zeros(2, 4, 5, 6)).shape == (2, 6, 4, 5)


def test_padded_tokens_are_not_in_the_mean() -> None:
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]])
    torch.testing.assert_close(mean_of_tokens(tokens, torch.tensor([[1, 1, 0]])), torch.tensor([[2.0, 3.0]]))
    torch.testing.assert_close(mean_of_tokens(tokens), tokens.mean(dim=1))
    torch.testing.assert_close(mean_of_tokens(tokens, torch.tensor([[0, 0, 0]])), torch.zeros(1, 2))
    torch.testing.assert_close(Pooled((3, 2))(tokens, torch.tensor([[1, 1, 0]])), torch.tensor([[2.0, 3.0]]))
