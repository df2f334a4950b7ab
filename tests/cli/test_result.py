from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from offramp.cli._result import clean, describe_guarantee, verdict
from offramp.decide import Guarantee


def made(**changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = {
        "guarantee": None,
        "precision": "f32",
        "score": "entropy",
        "scores": {"ranked": [{"score": "entropy", "candidate": True}, {"score": "margin", "candidate": False}]},
        "chosen": {"gain": {"1": 1.5, "64": 1.4}, "relative_macs": 0.6, "agreement": 0.99, "thresholds": [0.5]},
        "exits_alone": [
            {"exit": 0, "agreement": 0.9, "relative_macs": 0.3},
            {"exit": 1, "agreement": 1.0, "relative_macs": 1.0},
        ],
    }
    result["chosen"] |= changes
    return result


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        (math.nan, None),
        ([math.inf, 1.0], [None, 1.0]),
        ({"a": np.float32(0.5), 1: (np.int64(2),)}, {"a": 0.5, "1": [2]}),
        (None, None),
        (True, True),
    ],
)
def test_numbers_become_plain_json(value: Any, cleaned: Any) -> None:
    assert clean(value) == cleaned
    json.dumps(clean(value), allow_nan=False)


def test_a_faster_network_is_said_to_be_faster() -> None:
    assert verdict(made()) == ["It does 0.60 of the work and is faster: 1.50x at batch 1 and 1.40x at batch 64."]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"gain": {"1": 0.9, "64": 1.4}}, "batch 1: use it there"),
        ({"relative_macs": 1.1}, "no less work"),
        ({"agreement": 0.9}, "cut at exit 0"),
    ],
)
def test_a_network_that_is_beaten_is_said_to_be(changes: dict[str, Any], word: str) -> None:
    assert word in " ".join(verdict(made(**changes)))


def test_a_score_that_was_chosen_is_named() -> None:
    result = made()
    for one in result["scores"]["ranked"]:
        one["candidate"] = True
    assert verdict(result)[-1] == "Of 2 scores entropy has the largest area under its frontier: gates compare it."


def test_a_refused_promise_comes_first() -> None:
    result = {**made(), "guarantee": {"status": "refused", "remedy": "give more samples"}}
    assert verdict(result)[0] == "Nothing could be promised, so nobody leaves early: give more samples."


def test_where_nobody_may_leave_the_gates_are_said_to_run_for_nothing() -> None:
    result = {**made(relative_macs=1.1), "guarantee": {"status": "refused", "remedy": "give more samples"}}
    assert "Its heads and gates run for nothing: until a promise holds, use the network alone." in verdict(result)


@pytest.mark.parametrize("gain", [0.98, 1.02])
def test_a_run_without_exits_is_the_network_alone_whatever_the_clock_said(gain: float) -> None:
    result = made(gain={"1": gain, "64": gain}, relative_macs=1.0, agreement=1.0, thresholds=[])
    result["exits_alone"] = result["exits_alone"][1:]
    assert verdict(result) == ["No exit paid: the file is the network alone, behind the same outputs."]


def test_a_kept_promise_has_no_remedy() -> None:
    promise = Guarantee(
        kind="harm", max_loss=0.01, confidence=0.95, status="certified", p_value=0.03, calibration_samples=400
    )
    told = describe_guarantee(promise, 0.002)
    assert told is not None
    assert told["test_loss"] == 0.002
    assert "remedy" not in told
    assert describe_guarantee(None, None) is None


def test_what_a_lower_precision_does_is_said() -> None:
    result = made(gain_to_float={"1": 3.0}) | {"precision": "int8", "baseline": {"in_precision": {"agreement": 0.993}}}
    result["precisions"] = {"tried": [], "bodies": [{"name": "stage2", "kept": "float"}]}
    told = " ".join(verdict(result))
    assert "in int8 the network alone agrees with itself in f32 on 99.30 %" in told.replace("In int8", "in int8")
    assert "3.00x at batch 1" in told
    assert "stage2" in told
