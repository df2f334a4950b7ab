from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from offramp.measure import Latency
from offramp.pipeline import _batches
from offramp.pipeline._batches import Batches, affordable, draw_batches, draw_positions, record_latency, warm
from offramp.run import ArraySamples


def samples(count: int) -> ArraySamples:
    values = np.arange(count, dtype=np.float32)[:, None]
    return ArraySamples(inputs={"x": values}, ids=np.array([f"s{at}" for at in range(count)]))


@pytest.mark.parametrize(("count", "batch", "calls"), [(10, 1, 10), (10, 3, 3), (5000, 1, 2000), (2, 4, 1)])
def test_samples_come_once_as_long_as_there_are_enough(count: int, batch: int, calls: int) -> None:
    positions = draw_positions(count, batch, seed=0)
    assert positions.shape == (calls, batch)
    assert len(np.unique(positions)) == min(positions.size, count)


@pytest.mark.parametrize("memory", [2**29, 0])
def test_batches_are_the_same_kept_or_made_anew(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batches, "IN_MEMORY", memory)
    batches = Batches(samples(6), np.array([[0, 5], [2, 3]]))
    assert len(batches) == 2
    assert batches[1]["x"].tolist() == [[2.0], [3.0]]
    assert [one["x"].shape for one in batches[:]] == [(2, 1), (2, 1)]


def test_a_quick_system_gets_all_calls_and_a_slow_one_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    def idle(inputs: Any) -> None:
        return None

    assert affordable({"quick": idle}, {}, 1) == _batches.MOST
    assert affordable({"quick": idle}, {}, 1, most=30) == 30
    assert affordable({"quick": idle}, {}, 1, seconds=0) == _batches.FEWEST
    monkeypatch.setattr(_batches, "SECONDS", 0)
    assert affordable({"slow": idle}, {}, 1) == _batches.FEWEST


def test_a_system_is_timed_long_enough_to_tell_how_sure_its_gain_is(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.004, 0.004, 0.005])  # one call of 4 and one of 1 ms
    monkeypatch.setattr(_batches, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    calls = affordable({name: lambda inputs: None for name in ("slow", "quick")}, {}, 64)
    assert calls * 0.004 == pytest.approx(_batches.LEAST_S, rel=0.01)
    assert calls > _batches.CALLS[64]


def test_rounds_make_up_for_few_samples() -> None:
    batches, repeats = draw_batches({"idle": lambda inputs: None}, samples(300), 1, seed=0)
    assert len(batches) * repeats >= _batches.CALLS[1]


@pytest.mark.parametrize(("size", "calls"), [(1, 0), (2, 3)])
def test_a_network_meets_every_batch_before_the_clock_runs(size: int, calls: int) -> None:
    met: list[Any] = []
    warm(met.append, Batches(samples(6), np.arange(6).reshape(-1, size)))
    assert len(met) == calls


def test_latency_is_named_as_in_a_result() -> None:
    assert record_latency(Latency(mean_s=1.0, p50_s=2.0, p95_s=3.0, calls=4)).model_dump() == {
        "mean": 1.0,
        "p50": 2.0,
        "p95": 3.0,
        "calls": 4,
    }
