from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from offramp.errors import OptionError, OutputError
from offramp.report import draw_drift, print_drift
from offramp.report._drift import drift_rows, judge_check, p_text
from records import as_check, make_check


@pytest.fixture
def check() -> dict[str, Any]:
    """As `offramp check --json` prints it."""
    return make_check()


def printed(check: dict[str, Any]) -> str:
    target = io.StringIO()
    print_drift(as_check(check), Console(file=target, width=120, color_system=None, highlight=False))
    return target.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "exit 0             50.0   40.0   -10.0      0.25",
        "work (MACs)        60.0   68.0    +8.0",
        "5,000 new samples against 3,493 calibration samples: p-value 0.0003, of exit rates alone at most 0.0001",
        "2,000 of them run to the end: 0.70 % of answers change, between 0.40 and 1.17 % with 95 % confidence",
        "The new samples look different.\nThe promise stands.\nALARM\n",
    ],
)
def test_the_table_says_what_was_compared(check: dict[str, Any], text: str) -> None:
    assert text in printed(check)


def test_no_alarm_is_said_too(check: dict[str, Any]) -> None:
    text = printed({**check, "alarm": False, "accuracy": {"ours": 0.9, "final": 0.91}})
    assert text.endswith("\nno alarm\n")
    assert "accuracy there: 90.00 %; nobody leaving early 91.00 %" in text


def test_the_final_exit_has_no_score(check: dict[str, Any]) -> None:
    assert [row[-1] for row in drift_rows(as_check(check))] == ["0.25", "", ""]


@pytest.mark.parametrize("accepted", [0.01, None])
def test_the_picture_is_drawn(check: dict[str, Any], accepted: float | None, tmp_path: Path) -> None:
    check["loss"]["max_loss"] = accepted
    draw_drift(as_check(check), tmp_path / "drift.png")
    with Image.open(tmp_path / "drift.png") as picture:
        assert picture.size[0] > 800
    draw_drift(as_check(check), tmp_path / "drift.svg")
    text = (tmp_path / "drift.svg").read_text()
    assert "ALARM" in text
    assert ("promised" in text) == (accepted is not None)


def test_a_loss_of_nothing_is_drawn_too(check: dict[str, Any], tmp_path: Path) -> None:
    check["loss"] |= {"kind": "net", "mean": -0.01, "interval": [-0.02, 0.0], "max_loss": None}
    draw_drift(as_check(check), tmp_path / "drift.svg")
    drawn = ElementTree.parse(tmp_path / "drift.svg")
    assert "nan" not in ElementTree.tostring(drawn.getroot(), encoding="unicode").lower()


def test_another_ending_is_refused(check: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"\.png"):
        draw_drift(as_check(check), tmp_path / "drift.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(check: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="writable"):
        draw_drift(as_check(check), tmp_path / "nowhere" / "drift.png")


def test_a_p_value_below_what_was_drawn_says_so() -> None:
    assert (p_text(0.0), p_text(0.0001), p_text(0.00011), p_text(1.0)) == (
        "at most 0.0001", "at most 0.0001", "0.00011", "1",
    )  # fmt: skip


LOST = make_check()["loss"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "The promise stands: at most 1 % of answers change."),
        (
            {"verdict": "broken", "remedy": "train"},
            "at most 1 % of answers change, but here more. To repair it, train.",
        ),
        ({"verdict": "too_few_samples", "remedy": "give 9"}, "is neither refuted nor proven again: give 9."),
        ({"promised_kind": "harm", "is_stand_in": True}, "(without labels, answers that change were counted: never"),
        ({"promised_kind": None, "max_loss": None, "remedy": "choose"}, "Nothing was promised: choose."),
    ],
)
def test_what_became_of_the_promise_is_a_sentence(changes: dict[str, Any], words: str) -> None:
    _, told = judge_check(as_check(make_check(loss={**LOST, **changes})))
    assert words in told


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shifted": False}, "The new samples look like the calibration samples."),
        ({"change": 0.1}, "look different: exit rates change by up to 10.0 points. The promise was proven again on"),
        ({"change": 0.0, "loss": {**LOST, "verdict": "broken"}}, "look different: scores do."),
    ],
)
def test_whether_samples_look_different_is_a_sentence(changes: dict[str, Any], words: str) -> None:
    told, _ = judge_check(as_check(make_check(**changes)))
    assert words in told
