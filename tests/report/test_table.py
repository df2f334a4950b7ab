from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from offramp.report import describe_promise, draw_table
from records import as_run


def test_the_table_is_the_golden_one(result: dict[str, Any], golden: Callable[[str, str], None]) -> None:
    golden("table.txt", draw_table(as_run(result)))


def test_without_labels_accuracy_is_a_dash(result: dict[str, Any]) -> None:
    result["baseline"]["accuracy"] = result["chosen"]["accuracy"] = None
    assert draw_table(as_run(result)).splitlines()[1].split()[:2] == ["resnet20", "-"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("agreement", "of answers change"),
        ("harm", "of answers turn from right to wrong"),
        ("net", "of accuracy is lost"),
    ],
)
def test_a_promise_says_what_is_lost(result: dict[str, Any], kind: str, words: str) -> None:
    result["guarantee"]["kind"] = kind
    assert f"at most 1.0 % {words}" in describe_promise(as_run(result))
    assert "(3,493 calibration samples, OpenVINO f32)" in describe_promise(as_run(result))


def test_a_refused_promise_says_what_would_help(result: dict[str, Any]) -> None:
    result["guarantee"] |= {"status": "refused", "remedy": "needs at least 299 calibration samples"}
    assert describe_promise(as_run(result)).endswith("needs at least 299 calibration samples")


@pytest.mark.parametrize(
    ("goal", "words"), [({"name": "knee"}, "the knee"), ({"name": "budget", "budget": 0.5}, "0.5 of the work")]
)
def test_without_a_promise_the_choice_is_named(result: dict[str, Any], goal: dict[str, Any], words: str) -> None:
    result |= {"guarantee": None, "goal": {**result["goal"], "max_loss": None, **goal}}
    assert words in describe_promise(as_run(result))


def test_many_thresholds_are_cut_short(result: dict[str, Any]) -> None:
    result["chosen"]["thresholds"] = [0.5] * 20
    assert "..." in draw_table(as_run(result))


def test_without_exits_the_threshold_is_a_dash(result: dict[str, Any]) -> None:
    result["chosen"] |= {"thresholds": [], "exit_rates": [1.0]}
    name, row = draw_table(as_run(result)).splitlines()[1:3]
    assert row.split()[:3] == ["+", "0", "exits"]
    assert row.split()[-2:] == name.split()[-2:] == ["-", "100"]
