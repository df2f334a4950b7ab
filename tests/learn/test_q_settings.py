"""Settings of Q-learning."""

from __future__ import annotations

from typing import Any

import pytest

from offramp import learn
from offramp.errors import OptionError


@pytest.mark.parametrize("wrong", [
    {"accuracy_weight": 1.1}, {"accuracy_weight": -0.1}, {"accuracy_weight": float("nan")}, {"bag": 0},
    {"regular": "none"}, {"judge": "nobody"}, {"epsilon_first": 2.0}, {"epsilon_last": -1.0}, {"decay": 1.5},
    {"regular_weight": 0.0}, {"regular_rate": 0.0}, {"warm_epochs": -1}, {"positive": -1},
])  # fmt: skip
def test_a_value_outside_its_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))):
        learn.QSettings(**wrong)


def test_an_unknown_metric_is_told_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"accuracy, f1, precision, recall or a function, but is 'f2'"):
        learn.QSettings(metric="f2")  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("bag", [200, 3])
def test_bags_that_do_not_fill_a_batch_are_refused(bag: int) -> None:
    with pytest.raises(OptionError, match=f"whole mini-bags, but batch is 128 and bag {bag}"):
        learn.QSettings(batch=128, bag=bag)


def test_chance_falls_from_warm_epochs_to_the_end() -> None:
    wanted = learn.QSettings(warm_epochs=2, epochs=8, decay=0.5, epsilon_first=0.9, epsilon_last=0.1)
    assert [round(wanted.epsilon(epoch), 2) for epoch in range(8)] == [1.0, 1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.1]
