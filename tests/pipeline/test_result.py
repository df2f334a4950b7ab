from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from offramp.decide import Guarantee
from offramp.pipeline._result import clean, describe_guarantee, verdict


def made(**changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = {
        "guarantee": None,
        "precision": "f32",
        "score": "entropy",
        "scores": {"ranked": [{"score": "entropy", "candidate": True}, {"score": "margin", "candidate": False}]},
        "chosen": {
            "thresholds": [0.9],
            "gain": {"1": 1.5, "64": 1.4},
            "gain_interval": {"1": [1.4, 1.6], "64": [1.2, 1.6]},
            "relative_macs": 0.6,
            "agreement": 0.99,
        },
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
    assert verdict(made()) == [
        "It does 0.60 of the work and is faster: 1.50x [1.40, 1.60] at batch 1 and 1.40x [1.20, 1.60] at batch 64."
    ]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"gain": {"1": 0.9}, "gain_interval": {"1": [0.85, 0.95]}}, "0.90x [0.85, 0.95] at batch 1. Use the network"),
        ({"relative_macs": 1.1}, "no less work"),
        ({"agreement": 0.9}, "cut at exit 0"),
    ],
)
def test_a_network_that_is_beaten_is_said_to_be(changes: dict[str, Any], word: str) -> None:
    assert word in " ".join(verdict(made(**changes)))


@pytest.mark.parametrize("gain", [0.93, 1.07])
def test_a_gain_whose_interval_holds_one_is_called_no_difference(gain: float) -> None:
    limits = [gain - 0.1, gain + 0.1]
    told = verdict(made(gain={"1": gain, "64": 1.4}, gain_interval={"1": limits, "64": [1.2, 1.6]}))
    assert told[0] == "It does 0.60 of the work and is faster: 1.40x [1.20, 1.60] at batch 64."
    assert told[1].startswith(f"No difference in time from the network alone was measured: {gain}x")
    assert "network alone is faster" not in " ".join(told)


def test_a_network_in_few_bits_is_compared_with_the_network_in_few_bits() -> None:
    changes = {"gain": {"1": 0.8, "64": 1.0}, "gain_interval": {"1": [0.7, 0.9], "64": [0.9, 1.1]}}
    told = " ".join(verdict({**made(**changes), "precision": "int8+f32", "baseline": {}}))
    assert "The network alone in int8 is faster: this one gains 0.80x" in told
    assert "No difference in time from the network alone in int8 was measured: 1.00x" in told


@pytest.mark.parametrize("relative", [0.6, 1.1])
def test_times_that_are_not_known_are_said_to_be_unknown(relative: float) -> None:
    told = verdict(made(gain={}, gain_interval={}, relative_macs=relative))
    assert "Its time was not measured at these thresholds: run `offramp bench --apply`." in told
    assert "faster" not in " ".join(told)


def test_a_gain_without_an_interval_decides_nothing() -> None:
    told = " ".join(verdict(made(gain={"1": 0.8, "64": 1.4}, gain_interval={})))
    assert "How sure a gain is was not measured (0.80x at batch 1 and 1.40x at batch 64)" in told
    assert "faster" not in told


PLACED = {
    "candidates": [{"head": "light", "cut": "layer1"}, {"head": "pool", "cut": "layer2"}],
    "trials": [{"kept": [0], "relative": 0.93}, {"kept": [0, 1], "relative": 0.97}],
    "kept": [0], "judged_by": "time",
}  # fmt: skip
TRIED = {
    "tried": [
        {"precision": name, "expected_s": 0.001, "loss": 0.0, "allowed_loss": 0.01} for name in ("f32", "int8")
    ],
    "bodies": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"placement": {**PLACED, "thresholds": [0.9]}}, True),
        ({"placement": {**PLACED, "thresholds": [0.9]}, "applied": "offramp sweep"}, True),
        ({"placement": {**PLACED, "thresholds": [0.8]}, "applied": "offramp sweep"}, False),
        ({"placement": PLACED}, True),
        ({"placement": PLACED, "applied": "offramp sweep"}, False),
        ({"placement": PLACED, "recalibrated": {"samples": 9, "data": "new"}}, False),
    ],
)
def test_what_was_expected_is_told_of_the_point_that_it_was_expected_of(changes: dict[str, Any], told: bool) -> None:
    said = " ".join(verdict({**made(), **changes, "precisions": TRIED}))
    assert "light at layer1 stays" in said
    assert ("0.93 of the network's time" in said) is told
    assert ("Estimated ms per call" in said) is told


@pytest.mark.parametrize(
    ("lost", "interval", "margin", "words"),
    [
        (0.008, [0.004, 0.014], 0.0, ()),
        (0.0106, [0.006, 0.017], 0.0, ("may lose more by chance", "`--margin 0.2`")),
        (0.0106, [0.006, 0.017], 0.1, ("may lose more by chance", "A larger `--margin`")),
        (0.02, [0.013, 0.03], 0.0, ("more than chance explains", "offramp check")),
        (0.02, None, 0.0, ("may lose more by chance",)),
    ],
)
def test_a_test_loss_above_the_promise_is_explained(
    lost: float, interval: list[float] | None, margin: float, words: tuple[str, ...]
) -> None:
    guarantee = {"status": "certified", "max_loss": 0.01, "test_loss": lost, "test_interval": interval}
    said = " ".join(verdict({**made(), "guarantee": {**guarantee, "margin": margin}}))
    assert all(word in said for word in words)
    assert ("The promise is about all samples to come" in said) is bool(words)


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
