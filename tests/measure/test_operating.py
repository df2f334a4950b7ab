from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidences import GATES, make_costs, make_evidence
from offramp.errors import EvidenceError, OptionError, ThresholdError
from offramp.measure import Costs, Evidence, exits_taken, operate, qualities

SCORES = pytest.mark.parametrize("score", ["max_probability", "entropy"])


@SCORES
def test_at_one_extreme_all_leave_at_the_first_exit(score: str) -> None:
    taken = exits_taken(make_evidence(50, 3), [GATES[score].stop_all] * 3, score)
    assert (taken == 0).all()


@SCORES
def test_at_the_other_extreme_nobody_leaves_early(score: str) -> None:
    taken = exits_taken(make_evidence(50, 3), [GATES[score].stop_none] * 3, score)
    assert (taken == 3).all()


@SCORES
def test_nan_never_stops(score: str) -> None:
    seen = make_evidence(10, 1)
    seen = replace(seen, scores={name: np.full((10, 1), np.nan) for name in seen.scores})
    assert (exits_taken(seen, [GATES[score].stop_all], score) == 1).all()


def test_the_threshold_itself_passes_upward_and_not_downward() -> None:
    seen = make_evidence(1, 1)
    seen = replace(seen, scores={name: np.full((1, 1), 0.5) for name in seen.scores})
    assert exits_taken(seen, [0.5], "max_probability").tolist() == [0]
    assert exits_taken(seen, [0.5], "entropy").tolist() == [1]


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 99),
    limits=st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3),
    place=st.integers(0, 2),
    easier=st.floats(0, 1),
)
def test_mean_macs_never_rise_when_a_gate_gets_easier(
    seed: int, limits: list[float], place: int, easier: float
) -> None:
    seen, costs = (
        make_evidence(40, 3, seed=seed),
        Costs(per_exit=np.array([1.0, 2.0, 4.0, 8.0]), baseline=8.0, unit="macs"),
    )
    eased = [limit * easier if at == place else limit for at, limit in enumerate(limits)]
    before, after = (operate(seen, costs, one, "max_probability").macs for one in (limits, eased))
    assert after <= before


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), limits=st.lists(st.floats(0, 2, width=32), min_size=2, max_size=2))
def test_a_batch_gives_what_its_samples_give_one_by_one(seed: int, limits: list[float]) -> None:
    seen, costs = make_evidence(12, 2, seed=seed), Costs(per_exit=np.array([1.0, 2.0, 4.0]), baseline=4.0, unit="macs")
    whole = operate(seen, costs, limits, "entropy")
    ones = [operate(seen.subset(np.array([at])), costs, limits, "entropy") for at in range(12)]
    for name in ("accuracy", "agreement", "harm", "macs", "relative_macs"):
        assert getattr(whole, name) == pytest.approx(np.mean([getattr(one, name) for one in ones]))
    assert whole.exit_rates == pytest.approx(np.mean([one.exit_rates for one in ones], axis=0))


def test_without_labels_accuracy_and_harm_are_unknown() -> None:
    point = operate(make_evidence(10, 1, labels=False), make_costs(1), [0.5], "entropy")
    assert (point.accuracy, point.harm) == (None, None)


def test_harm_counts_only_what_the_reference_had_right() -> None:
    seen = Evidence(
        ids=np.arange(4),
        predictions=np.array([[1, 0], [0, 0], [1, 1], [2, 1]]),
        scores={},
        gates={},
        reference=np.array([0, 0, 1, 1]),
        labels=np.array([0, 0, 2, 2]),
    )
    assert qualities(seen, "harm")[0].tolist() == [False, True, True, True]


def test_harm_needs_labels() -> None:
    with pytest.raises(EvidenceError, match="labels"):
        qualities(make_evidence(5, 1, labels=False), "harm")


def test_an_unknown_quality_is_refused() -> None:
    with pytest.raises(OptionError, match="agreement, accuracy or harm"):
        qualities(make_evidence(5, 1), "beauty")


@pytest.mark.parametrize("limits", [[], [0.5], [0.5, 0.5, 0.5], [0.5, float("nan")]])
def test_thresholds_of_the_wrong_length_or_value_are_refused(limits: list[float]) -> None:
    with pytest.raises(ThresholdError, match="2 numbers"):
        exits_taken(make_evidence(5, 2), limits, "entropy")


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(EvidenceError, match="margin"):
        exits_taken(make_evidence(5, 2), [0.5, 0.5], "margin")


def test_costs_of_another_graph_are_refused() -> None:
    with pytest.raises(EvidenceError, match="4 for 3 exits"):
        operate(make_evidence(5, 2), make_costs(3), [0.5, 0.5], "entropy")
