from __future__ import annotations

import numpy as np
import pytest

from offramp.errors import OptionError
from offramp.measure import Costs


def test_costs_relative_to_the_baseline_may_exceed_one() -> None:
    assert Costs(macs=np.array([1.0, 6.0]), baseline_macs=5.0).relative.tolist() == [0.2, 1.2]


@pytest.mark.parametrize("macs", [[], [[1.0]], [2.0, 1.0], [np.nan], [-1.0]])
def test_costs_that_fall_or_are_no_numbers_are_refused(macs: list[float]) -> None:
    with pytest.raises(OptionError, match="never falls"):
        Costs(macs=np.array(macs), baseline_macs=1.0)


def test_a_baseline_without_cost_is_refused() -> None:
    with pytest.raises(OptionError, match="baseline_macs"):
        Costs(macs=np.array([1.0]), baseline_macs=0.0)
