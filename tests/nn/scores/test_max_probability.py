"""The largest probability."""

from __future__ import annotations

import torch
from torch import nn

from offramp.nn.scores import MaxProbability
from offramp.testing import ScoreContract


class TestMaxProbability(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return MaxProbability()


def test_it_is_the_largest_entry_of_the_softmax() -> None:
    logits = torch.tensor([[0.0, 0.0], [torch.log(torch.tensor(3.0)), 0.0]])
    torch.testing.assert_close(MaxProbability()(torch.zeros(2, 1), logits), torch.tensor([0.5, 0.75]))


def test_half_precision_logits_give_a_float32_score() -> None:
    assert MaxProbability()(torch.zeros(1, 1), torch.zeros(1, 3, dtype=torch.bfloat16)).dtype == torch.float32
