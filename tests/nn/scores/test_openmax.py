"""The probability of the likeliest known class in OpenMax."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import weibull_min
from torch import Tensor, nn

from offramp.errors import LearnError
from offramp.nn.scores import OpenMax, Targets
from offramp.nn.scores._openmax import _fit_tail
from offramp.testing import ScoreContract


class TestOpenMax(ScoreContract):
    def make(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return OpenMax(classes)


def fitted(logits: Tensor, classes: Tensor | None = None) -> OpenMax:
    score = OpenMax(logits.shape[1])
    answers = logits.argmax(dim=1)
    score.fit(score.collect(logits, logits), Targets(classes=answers if classes is None else classes, answers=answers))
    return score


def clusters(per_class: int, classes: int = 3) -> Tensor:
    """Logits that stand around 6 times each class's unit vector."""
    noise = torch.randn(per_class * classes, classes, generator=torch.Generator().manual_seed(0))
    return 6 * torch.eye(classes).repeat(per_class, 1) + 0.5 * noise


def by_the_formula(score: OpenMax, logits: Tensor) -> list[float]:
    """Algorithm 2 in plain Python, row by row."""
    means = (score.distances.means + score.distances.center).double()
    given = []
    for row in logits.double():
        ranked = sorted(range(len(row)), key=lambda one: -float(row[one]))
        kept = row.clone()
        for place, one in enumerate(ranked):
            weight = (len(row) - place) / len(row)
            beyond = max(0.0, float((row - means[one]).norm() - score.start[one]) / float(score.scale[one]))
            kept[one] *= 1 - weight * (1 - math.exp(-(beyond ** float(score.shape[one]))))
        unknown = float((row - kept).sum())
        total = math.exp(unknown) + float(kept.exp().sum())
        given.append(float(kept.exp().max()) / total)
    return given


def test_it_is_what_the_formula_says() -> None:
    score, logits = fitted(clusters(40)), 3 * torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    assert score(logits, logits).tolist() == pytest.approx(by_the_formula(score, logits), abs=1e-5)


def test_the_same_answer_is_surer_near_its_class_than_far_away() -> None:
    score = fitted(clusters(40))
    here, beyond = torch.tensor([[6.0, 0.0, 0.0]]), torch.tensor([[30.0, 0.0, 0.0]])
    assert float(score(here, here)) > 0.9
    assert float(score(beyond, beyond)) < 0.1


def test_only_so_many_classes_are_weighed() -> None:
    assert (OpenMax(14).weights > 0).tolist() == [True] * 10 + [False] * 4
    assert OpenMax(4).weights.tolist() == [1.0, 0.75, 0.5, 0.25]


def test_a_class_on_which_nobody_agrees_is_unknown() -> None:
    logits = clusters(40)
    wrong = torch.where(logits.argmax(dim=1) == 1, 2, logits.argmax(dim=1))
    score = fitted(logits, wrong)
    rows = torch.tensor([[6.0, 0.0, 0.0], [0.0, 6.0, 0.0], [0.0, 0.0, 6.0]])
    sure = score(rows, rows)
    assert bool((sure[[0, 2]] > 0.9).all())
    assert float(sure[1]) < 0.01


def test_a_class_with_few_rows_takes_the_distribution_of_all() -> None:
    logits = clusters(40)
    few = torch.cat([logits[logits.argmax(dim=1) != 1], logits[logits.argmax(dim=1) == 1][:2]])
    score = fitted(few)
    rows = torch.tensor([[0.0, 6.0, 0.0], [0.0, 40.0, 0.0]])
    assert bool(score.scale.isfinite().all())
    assert float(score(rows, rows)[0]) > 0.9 > 0.1 > float(score(rows, rows)[1])


@pytest.mark.parametrize("logits", [torch.eye(3), torch.eye(3).repeat(30, 1), torch.zeros(50, 3)])
def test_rows_without_any_spread_make_everything_unknown_but_finite(logits: Tensor) -> None:
    given = fitted(logits)(logits, logits)
    assert bool(given.isfinite().all())
    assert bool((given <= 0.5).all())


def test_a_head_that_never_agrees_is_never_sure() -> None:
    logits = clusters(40)
    given = fitted(logits, (logits.argmax(dim=1) + 1) % 3)(logits, logits)
    assert bool((given < 0.1).all())


@pytest.mark.parametrize("shape", [0.7, 2.0])
def test_a_tail_finds_the_distribution_that_it_was_drawn_from(shape: float) -> None:
    largest = 5 + weibull_min.rvs(shape, scale=3, size=20, random_state=np.random.default_rng(0))
    found = _fit_tail(np.concatenate([largest, np.full(100, 5.0)]))
    assert found is not None
    assert found[0] == 5.0
    assert found[1] == pytest.approx(3, rel=0.5)
    assert found[2] == pytest.approx(shape, rel=0.4)  # twenty numbers say no more


def test_equal_distances_give_a_finite_shape() -> None:
    found = _fit_tail(np.full(20, 2.0))
    assert found == (0.0, 2.0, 50.0)


def test_it_refuses_to_answer_before_it_is_fitted() -> None:
    with pytest.raises(LearnError, match="must be fitted"):
        OpenMax(3)(torch.zeros(1, 4), torch.zeros(1, 3))


@pytest.mark.parametrize("rows", [torch.zeros(0, 3), torch.full((3, 3), torch.nan)])
def test_fitting_to_nothing_or_to_nan_is_refused(rows: Tensor) -> None:
    nobody = torch.zeros(len(rows), dtype=torch.long)
    with pytest.raises(LearnError, match="finite rows"):
        OpenMax(3).fit(rows, Targets(classes=nobody, answers=nobody))
