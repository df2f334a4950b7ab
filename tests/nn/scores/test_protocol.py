"""What an outsider implements."""

from __future__ import annotations

import pytest
from torch import nn

from offramp.nn.scores import Confidence, Entropy, FittedScore, Margin, MaxProbability


def test_the_learned_confidence_is_a_score_that_learns() -> None:
    assert isinstance(Confidence((4,), 3), FittedScore)


@pytest.mark.parametrize("score", [MaxProbability(), Entropy(), Margin()])
def test_a_formula_is_none(score: nn.Module) -> None:
    assert not isinstance(score, FittedScore)
