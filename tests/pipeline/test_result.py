from __future__ import annotations

from evidences import make_evidence
from offramp.decide import Guarantee, Target
from offramp.measure import OperatingPoint
from offramp.pipeline import Search
from offramp.pipeline._result import judge_alone, record_goal, record_guarantee, record_point, record_search
from offramp.store.record import to_json


def test_a_kept_promise_has_no_remedy() -> None:
    promise = Guarantee(
        kind="harm", max_loss=0.01, confidence=0.95, status="certified", p_value=0.03, calibration_samples=400
    )
    told = record_guarantee(promise, 0.002)
    assert told is not None
    assert (told.test_loss, told.remedy, told.test_interval) == (0.002, None, None)
    assert record_guarantee(None, None) is None


def test_goal_and_search_are_recorded_under_the_names_of_their_fields() -> None:
    goal, search = record_goal(Target(budget=0.5)), record_search(Search(name="screening", shares=(0.8, 0.9)))
    assert (goal.name, goal.budget, goal.max_loss) == ("budget", 0.5, None)
    assert (search.name, search.shares, search.grid) == ("screening", (0.8, 0.9), None)


def test_a_point_is_recorded_as_it_is() -> None:
    point = OperatingPoint(
        thresholds=(0.5,), accuracy=None, agreement=1.0, harm=None, macs=10.0, relative_macs=0.5, exit_rates=(0.5, 0.5)
    )
    recorded = record_point(point)
    assert (recorded.thresholds, recorded.accuracy, recorded.exit_rates) == ((0.5,), None, (0.5, 0.5))
    assert '"harm": null' in to_json(recorded)


def test_each_exit_alone_is_judged_on_all_parts() -> None:
    seen = make_evidence(400, 2, seed=0)  # two early exits and the final one
    whole, halves = (
        judge_alone(parts, [0.2, 0.5, 1.0])
        for parts in ([seen], [seen.subset(slice(200)), seen.subset(slice(200, None))])
    )
    assert whole == halves
    assert [one.exit for one in whole] == [0, 1, 2]
    assert whole[-1].agreement == float((seen.predictions[:, -1] == seen.reference).mean())
