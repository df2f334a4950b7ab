"""What the scores that learn are fitted to."""

from __future__ import annotations

import torch

from offramp.nn.scores import Targets


def test_two_answers_agree_where_they_are_the_same() -> None:
    targets = Targets(classes=torch.tensor([0, 1, 2, 0]), answers=torch.tensor([0, 2, 2, 1]))
    assert targets.agrees.tolist() == [True, False, True, False]
