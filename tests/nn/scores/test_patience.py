"""How many heads in a row say the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from offramp.nn.scores import Patience
from offramp.testing import ScoreContract


class TestPatience(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return Patience()


def say(*classes: int) -> Tensor:
    return nn.functional.one_hot(torch.tensor(classes), 4).float()


def test_it_is_zero_at_the_first_exit() -> None:
    assert Patience()(say(0, 1), say(0, 1)).tolist() == [0.0, 0.0]


def test_it_counts_back_to_the_last_other_answer() -> None:
    first, second, third = say(2, 2, 1, 3), say(1, 2, 2, 3), say(1, 2, 2, 0)
    given = Patience()(third, say(1, 2, 2, 3), first, second, third)
    assert given.tolist() == [2.0, 3.0, 2.0, 0.0]
