"""Efficiency against its formula."""

from __future__ import annotations

import pytest

from offramp.errors import OptionError
from offramp.measure import Latency, efficiency


def takes(seconds: float) -> Latency:
    return Latency(mean_s=seconds, p50_s=seconds, p95_s=seconds, calls=1)


def test_the_ideal_weighs_static_times_by_their_shares() -> None:
    result = efficiency([0.5, 0.25, 0.25], [takes(1), takes(2), takes(4)], takes(2.5), empty=takes(0.1))
    assert (result.ideal_s, result.measured_s, result.empty_s) == (2.0, 2.5, 0.1)
    assert result.value == 0.8


def test_conditions_that_cost_nothing_have_efficiency_one() -> None:
    assert efficiency([0.0, 1.0], [takes(1), takes(3)], takes(3)).value == 1.0


def test_every_exit_needs_a_latency() -> None:
    with pytest.raises(OptionError, match="share"):
        efficiency([0.5, 0.5], [takes(1)], takes(1))


@pytest.mark.parametrize("shares", [[0.5, 0.4], [1.5, -0.5]])
def test_shares_must_be_a_distribution(shares: list[float]) -> None:
    with pytest.raises(OptionError, match="sum to"):
        efficiency(shares, [takes(1), takes(1)], takes(1))
