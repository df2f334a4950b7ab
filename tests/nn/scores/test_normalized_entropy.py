"""The entropy as a share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.nn.scores import Entropy, NormalizedEntropy
from offramp.testing import ScoreContract


class TestNormalizedEntropy(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return NormalizedEntropy()


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_knowing_nothing_is_one_for_any_number_of_classes(classes: int) -> None:
    assert float(NormalizedEntropy()(torch.zeros(1, 1), torch.zeros(1, classes))) == pytest.approx(1.0)


def test_it_sorts_samples_as_the_entropy_does() -> None:
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
    given, plain = NormalizedEntropy()(logits, logits), Entropy()(logits, logits)
    assert given.argsort().tolist() == plain.argsort().tolist()
