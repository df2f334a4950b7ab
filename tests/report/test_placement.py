"""The tables of a placement."""

from __future__ import annotations

from typing import Any

import pytest

from offramp.report import html
from offramp.report._placement import describe_placement, tabulate_placement
from offramp.store.record import PlacementRecord
from records import as_run

PLACEMENT: dict[str, Any] = {
    "score": "entropy",
    "judged_by": "time", "batch": 64, "baseline": 0.004, "allowed_loss": 0.0071, "tried": 4, "kept": [1],
    "candidates": [
        {"cut": "input", "head": "student:width=16", "reached": 0.0, "head_cost": 0.1, "border_cost": 0.02},
        {"cut": "layer1<b>", "head": "light", "reached": 0.3, "head_cost": 0.05, "border_cost": 0.02},
    ],
    "trials": [
        {"kept": kept, "cost": 0.004 * share, "relative": share, "loss": 0.005}
        for kept, share in (([1], 0.61), ([0, 1], 0.625), ([0], 0.75), ([], 1.0))
    ],
}  # fmt: skip


def test_each_candidate_says_what_it_would_be_alone() -> None:
    told = tabulate_placement(PlacementRecord.model_validate(PLACEMENT))
    assert [one["alone"] for one in told["candidates"]] == [0.75, 0.61]
    assert [one["stays"] for one in told["candidates"]] == [False, True]
    assert told["trials"][1][0] == "input (student:width=16), layer1<b> (light)"
    assert told["trials"][3][0] == "none"
    assert "4 choices" in told["about"]
    assert "batch 64" in told["about"]
    assert "at most 0.71 % lost" in told["about"]


def test_a_budget_is_named_where_work_was_counted() -> None:
    by_work = {**PLACEMENT, "judged_by": "work", "batch": None, "allowed_loss": None}
    about = tabulate_placement(PlacementRecord.model_validate(by_work))["about"]
    assert "within the budget" in about
    assert "MACs" in about


def test_the_page_shows_what_stays_and_what_else_was_tried(result: dict[str, Any], tmp_path: Any) -> None:
    path = tmp_path / "report.html"
    html(as_run(result), path)
    assert "Which exits stay" not in path.read_text()
    html(as_run({**result, "placement": PLACEMENT}), path)
    page = path.read_text()
    assert "Which exits stay" in page
    assert "layer1&lt;b&gt;" in page
    assert "61.00" in page


@pytest.mark.parametrize("expected", [True, False])
def test_what_was_expected_is_told_of_the_point_that_it_was_expected_of(expected: bool) -> None:
    told = describe_placement(PlacementRecord.model_validate(PLACEMENT), expected=expected)
    assert told.startswith("Of 2 candidates light at layer1<b> stays")
    assert ("0.61 of the network's time is expected, with all of them 0.62" in told) is expected
