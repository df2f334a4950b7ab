"""How clearly one class's mean features are the nearest."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.errors import LearnError
from offramp.nn.scores import ClassMean, Targets
from offramp.testing import ScoreContract


class TestClassMean(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return ClassMean(shape, classes)


def fitted(features: torch.Tensor, classes: torch.Tensor, count: int) -> ClassMean:
    score = ClassMean(features.shape[1:], count)
    answers = torch.zeros_like(classes)  # what the head answers makes no difference
    score.fit(score.collect(features, torch.zeros(len(features), count)), Targets(classes=classes, answers=answers))
    return score


def test_it_is_the_softmax_of_the_distances_to_the_class_means() -> None:
    features = torch.tensor([[0.0, 0.0], [2.0, 0.0], [4.0, 4.0]])
    score = fitted(features, torch.tensor([0, 0, 1]), 2)  # means (1, 0) and (4, 4)
    given = score(torch.tensor([[1.0, 1.0], [4.0, 4.0]]), torch.zeros(2, 2))
    near, far = torch.tensor([1.0, 0.0]), torch.tensor([18**0.5, 5.0])
    torch.testing.assert_close(given, 1 / (1 + (near - far).exp()))


def test_pixels_are_averaged_before_they_are_compared() -> None:
    pictures = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(20) % 2
    vectors = pictures.mean((2, 3))
    torch.testing.assert_close(
        fitted(pictures, classes, 2)(pictures, torch.zeros(20, 2)),
        fitted(vectors, classes, 2)(vectors, torch.zeros(20, 2)),
    )


def test_a_class_that_nobody_answers_is_never_the_nearest() -> None:
    features = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    with_it, without = fitted(features, torch.tensor([0, 2]), 4), fitted(features, torch.tensor([0, 1]), 2)
    rows = torch.tensor([[0.1, 0.0], [9.0, 1.0]])  # the first is nearest to the zeros that stand for no mean
    torch.testing.assert_close(with_it(rows, torch.zeros(2, 4)), without(rows, torch.zeros(2, 2)))


def test_with_one_class_everybody_is_sure() -> None:
    assert fitted(torch.ones(2, 3), torch.tensor([1, 1]), 3)(torch.randn(4, 3), torch.zeros(4, 3)).tolist() == [1.0] * 4


def test_it_refuses_to_answer_before_it_is_fitted() -> None:
    with pytest.raises(LearnError, match="must be fitted"):
        ClassMean((4,), 3)(torch.zeros(1, 4), torch.zeros(1, 3))


@pytest.mark.parametrize("rows", [torch.zeros(0, 4), torch.full((3, 4), torch.inf)])
def test_fitting_to_nothing_or_to_infinities_is_refused(rows: torch.Tensor) -> None:
    nobody = torch.zeros(len(rows), dtype=torch.long)
    with pytest.raises(LearnError, match="finite rows"):
        ClassMean((4,), 3).fit(rows, Targets(classes=nobody, answers=nobody))
