from __future__ import annotations

import numpy as np
import pytest

from offramp.errors import OptionError
from offramp.measure import Costs


def test_costs_relative_to_the_baseline_may_exceed_one() -> None:
    assert Costs(per_exit=np.array([1.0, 6.0]), baseline=5.0, unit="macs").relative.tolist() == [0.2, 1.2]


@pytest.mark.parametrize("macs", [[], [[1.0]], [2.0, 1.0], [np.nan], [-1.0]])
def test_costs_that_fall_or_are_no_numbers_are_refused(macs: list[float]) -> None:
    with pytest.raises(OptionError, match="never falls"):
        Costs(per_exit=np.array(macs), baseline=1.0, unit="macs")


def test_a_baseline_without_cost_is_refused() -> None:
    with pytest.raises(OptionError, match="baseline must be positive"):
        Costs(per_exit=np.array([1.0]), baseline=0.0, unit="macs")


def test_costs_in_another_unit_than_expected_are_refused() -> None:
    costs = Costs(per_exit=np.array([0.25]), baseline=0.5, unit="seconds")
    assert costs.expect("seconds") is costs
    with pytest.raises(OptionError, match="must count macs, but count seconds"):
        costs.expect("macs")
