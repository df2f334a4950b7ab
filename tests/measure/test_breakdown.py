"""Costs of any choice among the exits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import OptionError
from offramp.measure import Breakdown

PARTS = Breakdown(
    stages=np.array([1.0, 0, 4, 5]),
    heads=np.array([3.0, 2, 1]),
    gate_overheads=np.full(3, 0.5),
    baseline=10.0,
    unit="macs",
)


@given(st.sets(st.integers(0, 2)))
def test_an_exit_costs_all_that_ran_before_it_and_every_head_that_is_kept(kept: set[int]) -> None:
    costs = PARTS.costs(sorted(kept))
    for place, at in enumerate([*sorted(kept), 3]):
        passed = [other for other in kept if other <= at]
        wanted = PARTS.stages[: at + 1].sum() + sum(
            PARTS.heads[other] + PARTS.gate_overheads[other] for other in passed
        )
        assert costs.per_exit[place] == pytest.approx(wanted)
    assert (costs.baseline, costs.unit) == (10.0, PARTS.unit)


def test_without_exits_the_stages_are_left() -> None:
    assert PARTS.costs([]).per_exit.tolist() == [10.0]


@pytest.mark.parametrize("kept", [[3], [-1], [1, 0], [1, 1]])
def test_exits_that_are_not_there_or_not_in_order_are_refused(kept: list[int]) -> None:
    with pytest.raises(OptionError, match=r"exits must be of 0 to 2"):
        PARTS.costs(kept)


@pytest.mark.parametrize(
    "changed",
    [{"heads": np.ones(2)}, {"stages": np.ones(3)}, {"gate_overheads": np.full(3, -1.0)}, {"heads": [1, np.nan, 1]}],
)
def test_parts_that_do_not_fit_are_refused(changed: dict[str, np.ndarray]) -> None:
    given = {"stages": np.ones(4), "heads": np.ones(3), "gate_overheads": np.ones(3), **changed}
    with pytest.raises(OptionError, match="breakdown needs costs of 0 or more"):
        Breakdown(**given, baseline=1.0, unit="macs")
