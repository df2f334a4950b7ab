"""The calibrated probability."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.errors import LearnError
from offramp.nn.scores import Calibrated, Targets
from offramp.testing import ScoreContract


class TestCalibrated(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return Calibrated()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_it_finds_the_temperature_that_the_logits_were_spoiled_by(temperature: float) -> None:
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 3, generator=random)
    chance = logits.softmax(dim=1).amax(dim=1)
    agrees = torch.rand(20_000, generator=random) < chance
    score = Calibrated()
    targets = Targets(classes=torch.ones(20_000).long(), answers=agrees.long())
    score.fit(score.collect(logits, logits * temperature), targets)
    assert float(score.temperature) == pytest.approx(temperature, rel=0.1)
    assert float(score(logits, logits * temperature).mean()) == pytest.approx(float(agrees.float().mean()), abs=0.01)


def test_it_refuses_to_answer_before_it_is_fitted() -> None:
    with pytest.raises(LearnError, match="fitted"):
        Calibrated()(torch.zeros(1, 2), torch.zeros(1, 2))


def test_rows_that_are_not_finite_are_refused() -> None:
    with pytest.raises(LearnError, match="finite"):
        Calibrated().fit(torch.full((2, 3), torch.nan), Targets(classes=torch.ones(2), answers=torch.ones(2)))
