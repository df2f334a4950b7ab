from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from evidences import make_costs, make_evidence
from offramp.decide import Target, budget, find_losses, thresholds
from offramp.measure import Costs, frontier, operate, screening
from offramp.pipeline._choice import choose_from, draw, name_kind, pick
from offramp.pipeline._search import Search


def parts(*, labels: bool = True) -> dict[str, Any]:
    """Evidence of different samples for each part."""
    found = {}
    for seed, name in enumerate(("tune", "calibrate", "test")):
        seen = make_evidence(500, 2, seed=seed, labels=labels)
        found[name] = replace(seen, ids=seen.ids + 500 * seed)  # type: ignore[operator]  # as it is at run time
    return found


@pytest.mark.parametrize(
    ("search", "options"),
    [
        (Search(name="screening"), {}),
        (Search(name="screening", grid=(0.25, 0.5)), {"grid": (0.25, 0.5)}),
        (Search(name="screening", shares=(0.5, 0.9)), {"shares": (0.5, 0.9)}),
    ],
)
def test_a_screening_is_drawn_as_it_is_asked_for(search: Search, options: dict[str, Any]) -> None:
    tune, costs = parts()["tune"], make_costs(2)
    drawn = draw(search, tune, costs, score="entropy", quality="harm")
    assert drawn.points == screening(tune, costs, score="entropy", quality="harm", **options).points


def test_the_frontier_is_drawn_by_default() -> None:
    tune, costs = parts()["tune"], make_costs(2)
    drawn = draw(Search(), tune, costs, score="entropy", quality="agreement")
    assert drawn.points == frontier(tune, costs, score="entropy").points


def test_the_chosen_point_is_told_on_the_test_samples() -> None:
    seen, costs = parts(), make_costs(2)
    choice = pick(Target(max_loss=0.1, kind="harm"), Search(), seen, costs, "entropy")
    point = choice.decision.thresholds
    assert choice.test == operate(seen["test"], costs, point, "entropy")
    assert choice.test_loss == find_losses(seen["test"], point, "entropy", "harm").mean()


def test_a_budget_is_chosen_on_the_curve_that_is_given() -> None:
    seen, costs = parts(), make_costs(2)
    drawn = draw(Search(name="screening"), seen["tune"], costs, score="entropy", quality="agreement")
    choice = choose_from(drawn, Target(budget=0.7), seen)
    assert (choice.decision, choice.test_loss) == (budget(drawn, 0.7), None)


def test_a_promise_is_proven_along_the_curve_by_time_and_told_in_work() -> None:
    seen, costs = parts(), make_costs(2)
    early = [9.9e-3, 9.95e-3]  # the first exit saves next to nothing
    clock = Costs(per_exit=np.array([*early, 0.1]), baseline=0.1, unit="seconds")
    goal = Target(max_loss=0.1, kind="agreement")
    by_work, by_time = (pick(goal, Search(), seen, costs, "entropy", clock=each) for each in (None, clock))
    expected = thresholds(
        frontier(seen["tune"], clock, score="entropy"), seen["calibrate"], max_loss=0.1, kind="agreement"
    )
    assert by_time.decision.thresholds == expected.thresholds != by_work.decision.thresholds
    assert by_time.decision.guarantee == expected.guarantee
    assert by_time.frontier.points == by_work.frontier.points
    for part, point in (
        ("tune", by_time.decision.point),
        ("calibrate", by_time.decision.evaluated),
        ("test", by_time.test),
    ):
        assert point == operate(seen[part], costs, expected.thresholds, "entropy"), part
    fast, slow = (operate(seen["tune"], clock, one.decision.thresholds, "entropy").macs for one in (by_time, by_work))
    assert fast <= slow


@pytest.mark.parametrize("goal", [Target(budget=0.7), Target(knee=True)])
def test_budgets_and_knees_are_of_work_whatever_the_clock_says(goal: Target) -> None:
    seen, costs = parts(), make_costs(2)
    clock = Costs(per_exit=np.array([9.0, 9.5, 10.0]), baseline=10.0, unit="seconds")
    with_clock, without = (pick(goal, Search(), seen, costs, "entropy", clock=each) for each in (clock, None))
    assert with_clock.decision == without.decision


@pytest.mark.parametrize(("labels", "kind"), [(True, "harm"), (False, "agreement")])
def test_labels_name_the_kind(labels: bool, kind: str) -> None:
    calibrate = parts(labels=labels)["calibrate"]
    assert name_kind(Target(max_loss=0.1), calibrate).kind == kind
    assert name_kind(Target(max_loss=0.1, kind="net"), calibrate).kind == "net"
    assert name_kind(Target(knee=True), calibrate).kind is None


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
def test_the_test_loss_has_the_interval_of_its_kind(kind: Any) -> None:
    choice = pick(Target(max_loss=0.1, kind=kind), Search(), parts(), make_costs(2), "entropy")
    assert choice.test_interval is not None
    assert choice.test_loss is not None
    low, high = choice.test_interval
    assert low <= choice.test_loss <= high
    lost, count = round(choice.test_loss * len(parts()["test"])), len(parts()["test"])
    if kind != "net":
        exact = binomtest(lost, count).proportion_ci(0.95, method="exact")
        assert (low, high) == pytest.approx((exact.low, exact.high))


def test_a_goal_without_a_promise_has_no_interval() -> None:
    assert pick(Target(budget=0.9), Search(), parts(), make_costs(2), "entropy").test_interval is None
