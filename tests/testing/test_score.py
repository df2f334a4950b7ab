"""The contract of scores catches broken ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from offramp.testing import ScoreContract


class Shapeless(nn.Module):
    name, direction, stop_all, stop_none = "shapeless", "higher", 0.0, 2.0

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        return logits.softmax(dim=1).amax(dim=1, keepdim=True)


class Unreachable(nn.Module):
    name, direction, stop_all, stop_none = "unreachable", "higher", 0.0, 0.9

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        return logits.softmax(dim=1).amax(dim=1)


class Blind(nn.Module):
    name, direction, stop_all, stop_none = "blind", "higher", 0.0, 2.0

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        return logits.softmax(dim=1).amax(dim=1).nan_to_num(nan=1.0)


class Forgetful(nn.Module):
    name, direction, stop_all, stop_none = "forgetful", "higher", -1e9, 1e9

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, features: Tensor, logits: Tensor, *earlier: Tensor) -> Tensor:
        self.calls += 1
        return logits.amax(dim=1) + self.calls


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Shapeless, "test_it_gives_one_float32_per_sample"),
        (Unreachable, "test_its_extremes_stop_all_and_none"),
        (Blind, "test_nan_logits_never_stop"),
        (Forgetful, "test_it_keeps_no_state_between_calls"),
    ],
)
def test_a_broken_score_fails_its_test(broken: type[nn.Module], test: str) -> None:
    contract = ScoreContract()
    contract.make = lambda shape, classes: broken()  # type: ignore[method-assign]
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        getattr(contract, test)()
