"""The entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from offramp.nn.scores import Entropy
from offramp.testing import ScoreContract


class TestEntropy(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return Entropy()


def test_it_is_in_nats() -> None:
    assert float(Entropy()(torch.zeros(1, 1), torch.zeros(1, 10))) == pytest.approx(math.log(10))


def test_it_is_exactly_zero_and_not_below_for_a_certain_head() -> None:
    assert float(Entropy()(torch.zeros(1, 1), torch.tensor([[1e4, 0.0, -1e4]]))) == 0.0
