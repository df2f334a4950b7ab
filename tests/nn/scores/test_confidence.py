"""The learned confidence."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp.errors import LearnError
from offramp.nn.scores import Confidence, Targets
from offramp.testing import ScoreContract


class TestConfidence(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return Confidence(shape, classes)


def fitted(agrees: torch.Tensor, features: torch.Tensor, logits: torch.Tensor) -> Confidence:
    score = Confidence(features.shape[1:], logits.shape[1])
    score.fit(score.collect(features, logits), Targets(classes=torch.ones_like(agrees), answers=agrees))
    return score


def test_it_refuses_before_it_was_fitted() -> None:
    with pytest.raises(LearnError, match="must be fitted"):
        Confidence((4,), 3)(torch.zeros(1, 4), torch.zeros(1, 3))


def test_it_learns_from_the_features_what_the_logits_do_not_show() -> None:
    features = torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
    agrees = features[:, 2] > 0
    given = fitted(agrees, features, torch.zeros(400, 3))(features, torch.zeros(400, 3))
    assert float(((given > 0.5) == agrees).float().mean()) > 0.95


def test_it_is_calibrated_on_what_it_was_fitted_to() -> None:
    random = torch.Generator().manual_seed(0)
    features, logits = torch.randn(500, 4, generator=random), torch.randn(500, 3, generator=random)
    agrees = torch.rand(500, generator=random) < 0.8
    given = fitted(agrees, features, logits)(features, logits)
    # Exact for a logistic regression with an intercept; the small decay on the intercept moves it a little.
    assert float(given.mean()) == pytest.approx(float(agrees.float().mean()), abs=0.01)


@pytest.mark.parametrize("agree", [True, False])
def test_a_head_that_is_always_right_or_always_wrong_still_gives_a_finite_score(agree: bool) -> None:
    features, logits = torch.randn(50, 4), torch.randn(50, 3)
    given = fitted(torch.full((50,), agree), features, logits)(features, logits)
    assert bool(given.isfinite().all())
    assert bool((given > 0.5).all()) is agree


@pytest.mark.parametrize("rows", [torch.zeros(0, 8), torch.full((3, 8), torch.nan)])
def test_fitting_to_nothing_or_to_nan_is_refused(rows: torch.Tensor) -> None:
    with pytest.raises(LearnError, match="finite rows"):
        Confidence((4,), 3).fit(rows, Targets(classes=torch.ones(len(rows)), answers=torch.ones(len(rows))))


def test_pixels_and_tokens_are_averaged() -> None:
    logits = torch.zeros(2, 3)
    picture, tokens = torch.randn(2, 5, 4, 4), torch.randn(2, 7, 5)
    torch.testing.assert_close(Confidence((5, 4, 4), 3).collect(picture, logits)[:, :5], picture.mean((2, 3)))
    torch.testing.assert_close(Confidence((7, 5), 3).collect(tokens, logits)[:, :5], tokens.mean(1))
