from __future__ import annotations

from typing import Any

import pytest

from offramp.report import verdict
from records import as_run, make_result, ranked


def made(**changes: Any) -> dict[str, Any]:
    """The JSON of a run without a promise, whose chosen point has these entries."""
    result = make_result(guarantee=None, score="entropy")
    result["scores"]["ranked"] = [
        ranked("entropy", 0.5, [0.9, 0.4]),
        ranked("margin", 0.4, [0.9, 0.4], candidate=False),
    ]
    result["chosen"] |= {
        "thresholds": [0.9],
        "gain": {"1": 1.5, "64": 1.4},
        "gain_interval": {"1": [1.4, 1.6], "64": [1.2, 1.6]},
        "relative_macs": 0.6,
        "agreement": 0.99,
        "exit_rates": [0.5, 0.5],
        **changes,
    }
    result["exits_alone"] = [
        {"exit": 0, "agreement": 0.9, "accuracy": None, "relative_macs": 0.3},
        {"exit": 1, "agreement": 1.0, "accuracy": None, "relative_macs": 1.0},
    ]
    return result


def say(result: dict[str, Any]) -> list[str]:
    return list(verdict(as_run(result)))


def test_a_faster_network_is_said_to_be_faster() -> None:
    assert say(made()) == [
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
    assert word in " ".join(say(made(**changes)))


@pytest.mark.parametrize("gain", [0.93, 1.07])
def test_a_gain_whose_interval_holds_one_is_called_no_difference(gain: float) -> None:
    limits = [gain - 0.1, gain + 0.1]
    told = say(made(gain={"1": gain, "64": 1.4}, gain_interval={"1": limits, "64": [1.2, 1.6]}))
    assert told[0] == "It does 0.60 of the work and is faster: 1.40x [1.20, 1.60] at batch 64."
    assert told[1].startswith(f"No difference in time from the network alone was measured: {gain}x")
    assert "network alone is faster" not in " ".join(told)


def test_a_network_in_few_bits_is_compared_with_the_network_in_few_bits() -> None:
    changes = {"gain": {"1": 0.8, "64": 1.0}, "gain_interval": {"1": [0.7, 0.9], "64": [0.9, 1.1]}}
    told = " ".join(say({**made(**changes), "precision": "int8+f32"}))
    assert "The network alone in int8 is faster: this one gains 0.80x" in told
    assert "No difference in time from the network alone in int8 was measured: 1.00x" in told


@pytest.mark.parametrize("relative", [0.6, 1.1])
def test_times_that_are_not_known_are_said_to_be_unknown(relative: float) -> None:
    told = say(made(gain={}, gain_interval={}, relative_macs=relative))
    assert "Its time was not measured at these thresholds: run `offramp bench --apply`." in told
    assert "faster" not in " ".join(told)


def test_a_gain_without_an_interval_decides_nothing() -> None:
    told = " ".join(say(made(gain={"1": 0.8, "64": 1.4}, gain_interval={})))
    assert "How sure a gain is was not measured (0.80x at batch 1 and 1.40x at batch 64)" in told
    assert "faster" not in told


PLACED = {
    "judged_by": "time", "batch": 1, "baseline": 1.0, "allowed_loss": 0.01, "score": "entropy", "tried": 2, "kept": [0],
    "candidates": [
        {"head": head, "cut": cut, "reached": 0.3, "head_cost": 0.05, "border_cost": 0.02}
        for head, cut in (("light", "layer1"), ("pool", "layer2"))
    ],
    "trials": [
        {"kept": kept, "cost": cost, "relative": cost, "loss": 0.0} for kept, cost in (([0], 0.93), ([0, 1], 0.97))
    ],
}  # fmt: skip
TRIED = {
    "asked": "auto",
    "tried": [{"precision": name, "expected_s": 0.001, "loss": 0.0, "allowed_loss": 0.01} for name in ("f32", "int8")],
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"placement": {**PLACED, "thresholds": [0.9]}}, True),
        ({"placement": {**PLACED, "thresholds": [0.9]}, "applied": "offramp sweep"}, True),
        ({"placement": {**PLACED, "thresholds": [0.8]}, "applied": "offramp sweep"}, False),
        ({"placement": PLACED}, True),
        ({"placement": PLACED, "applied": "offramp sweep"}, False),
        ({"placement": None}, True),
        ({"placement": None, "applied": "offramp sweep"}, False),
    ],
)
def test_what_was_expected_is_told_of_the_point_that_it_was_expected_of(
    changes: dict[str, Any], expected: bool
) -> None:
    told = " ".join(say({**made(), **changes, "precisions": TRIED}))
    assert ("light at layer1 stays" in told) is (changes["placement"] is not None)
    assert ("0.93 of the network's time" in told) is (expected and changes["placement"] is not None)
    assert ("Estimated ms per call" in told) is expected


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
    guarantee = {**make_result()["guarantee"], "test_loss": lost, "test_interval": interval, "margin": margin}
    told = " ".join(say({**made(), "guarantee": guarantee}))
    assert all(word in told for word in words)
    assert ("The promise is about all samples to come" in told) is bool(words)


def test_a_score_that_was_chosen_is_named() -> None:
    result = made()
    for one in result["scores"]["ranked"]:
        one["candidate"] = True
    assert say(result)[-1] == "Of 2 scores entropy has the largest area under its frontier: gates compare it."


REFUSED = {**make_result()["guarantee"], "status": "refused", "remedy": "give more samples"}


def test_a_refused_promise_comes_first() -> None:
    result = {**made(), "guarantee": REFUSED}
    assert say(result)[0] == "Nothing could be promised, so nobody leaves early: give more samples."


def test_where_nobody_may_leave_the_gates_are_said_to_run_for_nothing() -> None:
    result = {**made(relative_macs=1.1), "guarantee": REFUSED}
    assert "Its heads and gates run for nothing: until a promise holds, use the network alone." in say(result)


@pytest.mark.parametrize("gain", [0.98, 1.02])
def test_a_run_without_exits_is_the_network_alone_whatever_the_clock_said(gain: float) -> None:
    result = made(gain={"1": gain, "64": gain}, relative_macs=1.0, agreement=1.0, thresholds=[])
    result["exits_alone"] = result["exits_alone"][1:]
    assert say(result) == ["No exit paid: the file is the network alone, behind the same outputs."]


def test_what_a_lower_precision_does_is_said() -> None:
    result = made(gain_to_float={"1": 3.0})
    result["precision"] = "int8"
    result["baseline"]["in_precision"] = {"accuracy": None, "agreement": 0.993}
    result["precisions"] = {"asked": "int8", "bodies": [{"name": "stage2", "agreement": 0.9, "kept": "float"}]}
    told = " ".join(say(result))
    assert "In int8 the network alone agrees with itself in f32 on 99.30 %" in told
    assert "3.00x at batch 1" in told
    assert "stage2" in told


@pytest.mark.parametrize(("data", "words"), [("npz:new.npz", "900 samples of npz:new.npz"), (None, "900 samples;")])
def test_a_recalibrated_run_says_on_what(data: str | None, words: str) -> None:
    result = made()
    point = {"thresholds": [], "relative_macs": 1.0, "exit_rates": []}
    former = {"samples": result["samples"], "held_out": "npz:old.npz", **point}
    result["recalibrated"] = {
        **{name: result[name] for name in ("command", "machine", "versions", "seed")},
        "data": data, "samples": 900, "at": "2026-12-01", "reference": "final exit of the file",
        "final_exit_differed": 0.0, "former": former,
    }  # fmt: skip
    assert f"Its thresholds were chosen again on {words}" in say(result)[-1]
