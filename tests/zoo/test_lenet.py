"""LeNet-5."""

from __future__ import annotations

import torch

from offramp.zoo._lenet import lenet5


def test_it_has_the_papers_61706_parameters() -> None:
    assert sum(parameter.numel() for parameter in lenet5().parameters()) == 61706


def test_classes_set_the_width_of_the_answer() -> None:
    assert lenet5(3)(torch.zeros(2, 1, 28, 28)).shape == (2, 3)
