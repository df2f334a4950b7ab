from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("batch", ["1", "64"])
def test_baseline_and_ours_are_timed_over_the_same_calls(finished: Any, batch: str) -> None:
    alone, ours = finished.result["baseline"]["latency_s"][batch], finished.result["chosen"]["latency_s"][batch]
    assert alone["calls"] == ours["calls"] > 0


@pytest.mark.parametrize("batch", ["1", "64"])
def test_efficiency_is_ideal_by_measured(finished: Any, batch: str) -> None:
    chosen = finished.result["chosen"]
    ratio = chosen["ideal_latency_s"][batch] / chosen["latency_s"][batch]["mean"]
    assert chosen["efficiency"][batch] == pytest.approx(ratio)
