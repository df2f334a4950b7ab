"""Local response normalization."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.nn._lrn import ResponseNorm


@pytest.mark.parametrize("channels", [1, 2, 7])
def test_it_equals_pytorchs_layer_with_the_published_constants(channels: int) -> None:
    x = 50 * torch.randn(3, channels, 4, 5)  # large enough for the sum to matter
    expected = nn.LocalResponseNorm(3, alpha=1.5e-4, beta=0.75, k=2.0)(x)
    torch.testing.assert_close(ResponseNorm()(x), expected)
    assert not torch.allclose(expected, x / 2**0.75, rtol=1e-3)


def test_it_computes_in_float32_whatever_surrounds_it() -> None:
    x = 50 * torch.randn(2, 3, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        given = ResponseNorm()(x.bfloat16())
    torch.testing.assert_close(given, ResponseNorm()(x.bfloat16().float()))
