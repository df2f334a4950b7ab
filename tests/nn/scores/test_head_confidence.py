"""The confidence that a head gives itself."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from offramp.nn.scores import HeadConfidence
from offramp.testing import ScoreContract


class TestHeadConfidence(ScoreContract):
    shape: ClassVar[tuple[int, ...]] = ()  # the log-odds stand in the place of the features

    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return HeadConfidence()


def test_it_is_the_sigmoid_of_the_log_odds_whatever_the_logits_say() -> None:
    odds = torch.tensor([-2.0, 0.0, 3.0])
    given = HeadConfidence()(odds, torch.randn(3, 5), torch.randn(3, 5))
    torch.testing.assert_close(given, 1 / (1 + (-odds).exp()))


def test_its_extremes_hold_at_log_odds_that_saturate() -> None:
    given = HeadConfidence()(torch.tensor([-1e9, 1e9]), torch.zeros(2, 5))
    assert bool((given >= HeadConfidence.stop_all).all())
    assert not bool((given >= HeadConfidence.stop_none).any())


def test_a_confidence_that_is_nan_never_stops() -> None:
    given = HeadConfidence()(torch.tensor([torch.nan, 0.0]), torch.zeros(2, 5))
    assert (given >= HeadConfidence.stop_all).tolist() == [False, True]
