from __future__ import annotations

from typing import Any

import pytest

from offramp.decide import Kind, Target, quality_for
from offramp.errors import OptionError


@pytest.mark.parametrize(("kind", "quality"), [("agreement", "agreement"), ("harm", "harm"), ("net", "accuracy")])
def test_a_frontier_keeps_what_is_promised(kind: Kind, quality: str) -> None:
    assert quality_for(kind) == quality


@pytest.mark.parametrize(
    ("given", "mode", "limit"),
    [
        ({}, "promise", 0.01),
        ({"max_loss": 0.05}, "promise", 0.05),
        ({"budget": 0.5}, "budget", 0.01),
        ({"knee": True}, "knee", 0.01),
    ],
)
def test_a_target_is_a_promise_a_budget_or_the_knee(given: dict[str, Any], mode: str, limit: float) -> None:
    target = Target(**given)
    assert (target.mode, target.limit) == (mode, limit)
    assert Target.from_json(target.to_json()) == target


@pytest.mark.parametrize(
    ("given", "about"),
    [
        ({"max_loss": 1.5}, "target.max_loss"),
        ({"max_loss": 1e-320}, "target.max_loss"),
        ({"max_loss": float("nan")}, "target.max_loss"),
        ({"confidence": 1.0}, "target.confidence"),
        ({"margin": 1.0}, "target.margin"),
        ({"kind": "loss"}, "target.kind"),
        ({"budget": float("inf")}, "target.budget"),
        ({"budget": 0.5, "knee": True}, "target.budget"),
        ({"max_loss": 0.1, "budget": 0.5}, "target.max_loss"),
    ],
)
def test_what_nobody_can_prove_is_refused_by_its_name(given: dict[str, Any], about: str) -> None:
    with pytest.raises(OptionError, match=about) as refused:
        Target(**given)
    assert about in refused.value.about


@pytest.mark.parametrize(
    ("kind", "labels", "expected"), [(None, True, "harm"), (None, False, "agreement"), ("net", True, "net")]
)
def test_labels_decide_what_counts_as_a_loss_unless_it_is_said(kind: Any, labels: bool, expected: str) -> None:
    assert Target(kind=kind).kind_with(labels=labels) == expected


def test_a_target_without_a_margin_is_one_of_an_older_result() -> None:
    assert Target.from_json({"max_loss": 0.1, "confidence": 0.9, "kind": "net", "budget": None}).margin == 0.0
