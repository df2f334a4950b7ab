"""How good the answers of a mini-bag are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from offramp.errors import LearnError
from offramp.learn._reward import judge_bags

SCORES = {"f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score}
BAGS = st.integers(1, 12).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(0, 2), min_size=size, max_size=size)] * 2)
)


@given(BAGS, st.sampled_from(sorted(SCORES)))
def test_the_mean_over_the_classes_that_occur_is_scikit_learns(pair: tuple[list[int], list[int]], name: str) -> None:
    answers, right = (torch.tensor([each]) for each in pair)
    occurring = sorted({*pair[0], *pair[1]})
    known = SCORES[name](pair[1], pair[0], average=None, zero_division=0, labels=occurring)
    if name == "recall":  # a class that is claimed although there is none of it
        known = [value if each in pair[1] else 1.0 for each, value in zip(occurring, known, strict=True)]
    ours = judge_bags(answers, right, name, classes=3)  # type: ignore[arg-type]  # a name of the metrics
    assert float(ours) == pytest.approx(np.mean(known))


@given(BAGS, st.sampled_from(["accuracy", *sorted(SCORES)]), st.sampled_from([None, 0, 1]))
def test_every_value_lies_between_0_and_1_and_is_1_where_all_is_right(
    pair: tuple[list[int], list[int]], name: str, positive: int | None
) -> None:
    answers, right = (torch.tensor([each]) for each in pair)
    value = judge_bags(answers, right, name, classes=3, positive=positive)  # type: ignore[arg-type]  # as above
    assert 0 <= float(value) <= 1
    assert float(judge_bags(right, right, name, classes=3, positive=positive)) == 1  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(("name", "value"), [("f1", 1.0), ("precision", 1.0), ("recall", 1.0)])
def test_where_there_is_nothing_to_find_and_nothing_was_claimed_all_is_right(name: str, value: float) -> None:
    nobody = torch.zeros(1, 4, dtype=torch.long)
    assert float(judge_bags(nobody, nobody, name, classes=2, positive=1)) == value  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(("name", "value"), [("f1", 0.0), ("precision", 0.0), ("recall", 1.0)])
def test_a_claim_where_there_is_nothing_to_find_costs_precision_alone(name: str, value: float) -> None:
    answers, right = torch.tensor([[1, 0]]), torch.tensor([[0, 0]])
    assert float(judge_bags(answers, right, name, classes=2, positive=1)) == value  # type: ignore[arg-type]  # as above


def test_each_mini_bag_is_judged_by_itself_also_by_a_function_of_ones_own() -> None:
    answers, right = torch.tensor([[0, 1], [1, 1]]), torch.tensor([[0, 1], [0, 0]])
    own = judge_bags(answers, right, lambda given, truth: float((given == truth).all()), classes=2)
    assert own.tolist() == judge_bags(answers, right, "accuracy", classes=2).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_function_that_leaves_the_range_is_refused(value: float) -> None:
    zeros = torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(LearnError, match="numbers from 0 to 1"):
        judge_bags(zeros, zeros, lambda given, truth: value, classes=2)
