"""The margin."""

from __future__ import annotations

import torch
from torch import nn

from offramp.nn.scores import Margin
from offramp.testing import ScoreContract


class TestMargin(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return Margin()


def test_it_is_the_gap_between_the_two_largest_probabilities() -> None:
    logits = torch.tensor([[0.2, 0.5, 0.3]]).log()
    torch.testing.assert_close(Margin()(torch.zeros(1, 1), logits), torch.tensor([0.2]))
