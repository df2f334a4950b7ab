"""What can be said of times without asserting on time."""

from __future__ import annotations

import gc
import time
from typing import Any

import numpy as np
import pytest

from offramp.errors import OptionError
from offramp.measure import Latency, gain, latency

BATCHES = [{"x": np.full((1, 2), at, np.float32)} for at in range(7)]


def test_every_system_sees_every_batch_once_per_round() -> None:
    seen: dict[str, list[float]] = {"a": [], "b": []}
    systems = {name: lambda batch, name=name: seen[name].append(float(batch["x"][0, 0])) for name in seen}
    times = latency(systems, BATCHES, warmup=0, repeats=3)
    assert {name: one.calls for name, one in times.items()} == {"a": 21, "b": 21}
    assert all(sorted(order) == sorted(list(range(7)) * 3) for order in seen.values())


def test_batches_come_shuffled_and_the_seed_fixes_the_order() -> None:
    orders = []
    for seed in (0, 0, 1):
        order: list[float] = []
        latency({"a": lambda batch, order=order: order.append(float(batch["x"][0, 0]))}, BATCHES, warmup=0, seed=seed)  # type: ignore[misc]  # as it is at run time
        orders.append(order)
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != sorted(orders[0])


def test_systems_are_interleaved() -> None:
    calls: list[str] = []
    systems = {name: lambda _, name=name: calls.append(name) for name in ("a", "b")}
    latency(systems, BATCHES, warmup=0)
    assert all(set(calls[at : at + 2]) == {"a", "b"} for at in range(0, 14, 2))


@pytest.mark.parametrize(("seconds", "turn"), [(0.0, 1), (1e9, 7)])
def test_systems_take_turns_as_long_as_they_are_quick(
    seconds: float, turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.measure._latency.TURN_S", seconds)
    calls: list[tuple[str, float]] = []
    systems = {name: lambda batch, name=name: calls.append((name, float(batch["x"][0, 0]))) for name in ("a", "b")}
    latency(systems, BATCHES, warmup=1)
    turns = [calls[2:][at : at + turn] for at in range(0, 14, turn)]
    assert all(len({name for name, _ in one}) == 1 for one in turns)
    for first, second in zip(turns[::2], turns[1::2], strict=True):
        assert first[0][0] != second[0][0]
        assert [batch for _, batch in first] == [batch for _, batch in second]


def test_quick_systems_settle_at_the_start_of_a_turn_and_are_timed_as_often() -> None:
    calls: dict[str, int] = {"slow": 0, "quick": 0}

    def slow(batch: object) -> None:
        calls["slow"] += 1
        time.sleep(0.02)

    def quick(batch: object) -> None:
        calls["quick"] += 1

    times = latency({"slow": slow, "quick": quick}, BATCHES, warmup=1, turn_s=0.03, settle=3)
    assert {name: one.calls for name, one in times.items()} == {"slow": 7, "quick": 7}
    assert calls == {"slow": 1 + 7, "quick": 1 + 7 + 7 * 3}


def test_warm_up_calls_are_not_counted() -> None:
    calls: list[int] = []
    assert latency({"a": lambda _: calls.append(1)}, BATCHES, warmup=20)["a"].calls == 7
    assert len(calls) == 27


def test_garbage_is_not_collected_while_the_clock_runs() -> None:
    states: list[bool] = []
    latency({"a": lambda _: states.append(gc.isenabled())}, BATCHES, warmup=0)
    assert states == [False] * 7
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        latency({"a": lambda _: None}, BATCHES, warmup=0)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_turns_are_told_and_make_up_all_the_time() -> None:
    times = latency({"a": lambda _: None, "b": lambda _: None}, BATCHES, warmup=1, repeats=3, turn_s=0.0)
    for one in times.values():
        assert len(one.turns) == one.calls == 21
        assert sum(one.turns) == pytest.approx(one.mean_s * one.calls)


def test_gain_divides_means() -> None:
    slow = Latency(mean_s=0.6, p50_s=0.5, p95_s=0.9, calls=3)
    fast = Latency(mean_s=0.3, p50_s=0.1, p95_s=0.9, calls=3)
    assert gain(slow, fast) == 2.0


@pytest.mark.parametrize(
    ("systems", "batches", "options"),
    [
        ({}, BATCHES, {}),
        ({"a": len}, [], {}),
        ({"a": len}, BATCHES, {"warmup": -1}),
        ({"a": len}, BATCHES, {"repeats": 0}),
    ],
)
def test_nothing_to_measure_is_refused(systems: dict[str, Any], batches: list[Any], options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        latency(systems, batches, **options)
