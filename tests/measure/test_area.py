"""The area under a frontier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidences import GATES, make_costs, make_evidence
from offramp.errors import OptionError
from offramp.measure import Costs, Evidence, Frontier, OperatingPoint, area, frontier, macs_at, operate
from offramp.measure._pareto_set import front

STEPS = st.lists(st.tuples(st.floats(0, 0.5), st.floats(0.05, 1.0)), min_size=1, max_size=8)
UP_TO = st.floats(0.001, 1.0)


def point(loss: float, cost: float) -> OperatingPoint:
    return OperatingPoint(
        thresholds=(0.5,), accuracy=None, agreement=1 - loss, harm=None, macs=cost, relative_macs=cost,
        exit_rates=(0.5, 0.5),
    )  # fmt: skip


def drawn(steps: list[tuple[float, float]], full: float = 1.05) -> Frontier:
    """The frontier of points with these losses and relative MACs."""
    points = [point(*step) for step in steps]
    kept = front(np.array([one.agreement for one in points]), np.array([one.macs for one in points]))
    return Frontier(
        points=tuple(points[place] for place in kept), score="entropy", gate=GATES["entropy"], quality="agreement",
        approach=(), full=point(0.0, full), costs=make_costs(1), ids=np.arange(9),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "up_to", "expected"),
    [
        ([(0.0, 0.5)], 0.1, 0.5),
        ([(0.05, 0.5)], 0.1, (0.5 - 0.05) / 2),  # below a loss of 0.05 nobody leaves, at 1.05 of the work
        ([(0.0, 0.8), (0.05, 0.4)], 0.1, 0.4),
        ([(0.0, 0.8), (0.05, 0.4)], 0.05, 0.2),
        ([(0.3, 0.1)], 0.1, -0.05),
        ([(0.0, 0.8), (0.5, 0.4)], 1.0, 0.4),
    ],
)
def test_it_is_the_mean_share_of_work_that_is_saved(
    steps: list[tuple[float, float]], up_to: float, expected: float
) -> None:
    assert area(drawn(steps), up_to=up_to) == pytest.approx(expected)


@given(steps=STEPS, better=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=8, max_size=8), up_to=UP_TO)
def test_a_frontier_that_dominates_has_no_smaller_area(
    steps: list[tuple[float, float]], better: list[tuple[float, float]], up_to: float
) -> None:
    winner = [(loss * less, cost * cheaper) for (loss, cost), (less, cheaper) in zip(steps, better, strict=False)]
    assert area(drawn(winner), up_to=up_to) >= area(drawn(steps), up_to=up_to) - 1e-12


@given(steps=STEPS, cheaper=st.floats(0.1, 0.9), up_to=UP_TO)
def test_a_frontier_that_costs_less_everywhere_has_the_larger_area(
    steps: list[tuple[float, float]], cheaper: float, up_to: float
) -> None:
    winner = [(loss, cost * cheaper) for loss, cost in steps]
    assert area(drawn(winner, full=1.05 * cheaper), up_to=up_to) > area(drawn(steps), up_to=up_to)


@settings(deadline=None, max_examples=25)
@given(steps=STEPS, up_to=UP_TO)
def test_it_is_the_mean_of_what_is_saved_at_each_loss(steps: list[tuple[float, float]], up_to: float) -> None:
    one = drawn(steps)
    losses = (np.arange(4000) + 0.5) / 4000 * up_to
    by_hand = np.mean([1 - macs_at(one, loss) for loss in losses])
    assert area(one, up_to=up_to) == pytest.approx(by_hand, abs=2e-3)  # the sum of 4,000 slices


def with_score(seen: Evidence, values: np.ndarray) -> Evidence:
    return replace(seen, scores={"p": values.astype(np.float32)}, gates={"p": GATES["max_probability"]})


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), up_to=UP_TO)
def test_no_score_beats_one_that_knows_who_is_right(seed: int, up_to: float) -> None:
    seen, costs = make_evidence(150, 1, seed=seed), make_costs(1)
    right = (seen.predictions[:, :1] == seen.reference[:, None]).astype(np.float32)
    random = np.random.default_rng(seed).random((150, 1))
    known = area(frontier(with_score(seen, right / 2 + random / 4), costs, score="p"), up_to=up_to)
    for other in (random, seen.scores["max_probability"]):
        assert known >= area(frontier(with_score(seen, other), costs, score="p"), up_to=up_to) - 1e-12


def test_a_score_that_is_only_stretched_has_the_same_area() -> None:
    seen, costs = make_evidence(300, 1), make_costs(1)
    values = seen.scores["max_probability"]
    first, second = (area(frontier(with_score(seen, one), costs, score="p"), up_to=0.1) for one in (values, values**2))
    assert first == pytest.approx(second)


def test_a_whole_number_serves_as_score() -> None:
    seen, costs = make_evidence(200, 3), make_costs(3)
    values = np.stack([np.zeros(200), *(seen.predictions[:, at] == seen.predictions[:, 0] for at in (1, 2))], axis=1)
    steps = frontier(with_score(seen, values), costs, score="p")
    assert all(operate(with_score(seen, values), costs, one.thresholds, "p") == one for one in steps.points)
    assert area(steps, up_to=1.0) > 0


@pytest.mark.parametrize(("loss", "expected"), [(0.0, 0.9), (0.01, 0.5), (0.02, 0.5), (0.5, 0.2), (1.0, 0.2)])
def test_an_accepted_loss_buys_the_cheapest_point_within_it(loss: float, expected: float) -> None:
    assert macs_at(drawn([(0.0, 0.9), (0.01, 0.5), (0.1, 0.2)]), loss) == expected


def test_accuracy_that_is_gained_is_no_loss() -> None:
    seen, costs = make_evidence(400, 1), make_costs(1)
    gained = replace(seen, labels=seen.predictions[:, 0])  # the first exit is always right
    steps = frontier(
        gained,
        Costs(per_exit=costs.per_exit, baseline=costs.per_exit[-1], unit="macs"),
        score="entropy",
        quality="accuracy",
    )
    assert steps.losses[0] < 0
    assert macs_at(steps, 0.0) == pytest.approx(float(costs.per_exit[0] / costs.per_exit[-1]))


@pytest.mark.parametrize("up_to", [0.0, -0.1, 1.5, float("nan")])
def test_a_limit_that_is_no_share_is_refused(up_to: float) -> None:
    with pytest.raises(OptionError, match="up_to"):
        area(drawn([(0.0, 0.5)]), up_to=up_to)
