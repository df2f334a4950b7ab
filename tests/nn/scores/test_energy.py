"""The energy."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.nn.scores import Energy
from offramp.testing import ScoreContract


class TestEnergy(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return Energy()


def test_it_grows_with_the_logits_where_a_probability_does_not() -> None:
    logits = torch.tensor([[3.0, 1.0]])
    assert float(Energy()(logits, logits + 5) - Energy()(logits, logits)) == pytest.approx(5.0)
