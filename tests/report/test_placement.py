"""The tables of a placement."""

from __future__ import annotations

from typing import Any

from offramp.report import html
from offramp.report._placement import describe_placement

PLACEMENT = {
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
    told = describe_placement(PLACEMENT)
    assert [one["alone"] for one in told["candidates"]] == [0.75, 0.61]
    assert [one["stays"] for one in told["candidates"]] == [False, True]
    assert told["trials"][1][0] == "input (student:width=16), layer1<b> (light)"
    assert told["trials"][3][0] == "none"
    assert "4 choices" in told["about"]
    assert "batch 64" in told["about"]
    assert "at most 0.71 % lost" in told["about"]


def test_a_budget_is_named_where_work_was_counted() -> None:
    about = describe_placement({**PLACEMENT, "judged_by": "work", "batch": None, "allowed_loss": None})["about"]
    assert "within the budget" in about
    assert "MACs" in about


def test_the_page_shows_what_stays_and_what_else_was_tried(result: dict[str, Any], tmp_path: Any) -> None:
    path = tmp_path / "report.html"
    html(result, path)
    assert "Which exits stay" not in path.read_text()
    html({**result, "placement": PLACEMENT}, path)
    page = path.read_text()
    assert "Which exits stay" in page
    assert "layer1&lt;b&gt;" in page
    assert "61.00" in page
