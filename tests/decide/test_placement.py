"""Which exits to keep."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidences import make_evidence
from examples import some
from offramp.decide import Target, placement
from offramp.decide import _placement as module
from offramp.errors import EvidenceError, OptionError
from offramp.measure import Breakdown, Evidence, frontier

SCORE = "max_probability"
TENTH, FIFTH = (Target(max_loss=loss, kind="agreement") for loss in (0.1, 0.2))


def parts(*heads: float, gate_overhead: float = 0.0) -> Breakdown:
    """Stages of one unit each."""
    stages = np.ones(len(heads) + 1)
    return Breakdown(
        stages=stages,
        heads=np.array(heads),
        gate_overheads=np.full(len(heads), gate_overhead),
        baseline=stages.sum(),
        unit="macs",
    )


def cheapest(seen: Evidence, breakdown: Breakdown, kept: tuple[int, ...], allowed: float) -> float:
    """What a choice costs at the accepted loss, by its frontier."""
    drawn = frontier(seen.keep(kept), breakdown.costs(kept), score=SCORE)
    fine = [point.macs for point in (drawn.full, *drawn.points) if 1 - point.agreement <= allowed + 1e-12]
    return min(fine)


def subsets(count: int) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(range(count), size) for size in range(count + 1)))


@settings(deadline=None, max_examples=some(15))
@given(st.integers(0, 99), st.lists(st.floats(0.01, 1.5), min_size=1, max_size=3), st.floats(0, 0.3))
def test_of_few_candidates_the_best_of_all_choices_is_found(
    seed: int, heads: list[float], gate_overhead: float
) -> None:
    seen, breakdown = make_evidence(40, len(heads), seed=seed), parts(*heads, gate_overhead=gate_overhead)
    found = placement(seen, breakdown, score=SCORE, target=TENTH, calibration=400, noise=0.0)
    assert found.allowed_loss is not None
    costs = {kept: cheapest(seen, breakdown, kept, found.allowed_loss) for kept in subsets(len(heads))}
    assert found.best.cost == pytest.approx(min(costs.values()))
    assert found.best.cost == pytest.approx(costs[found.kept])
    assert found.tried == len(costs)


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 99), st.sampled_from([1, 3]))
def test_it_is_never_worse_than_all_or_any_one_alone_also_by_beam(seed: int, beam: int) -> None:
    heads = [0.3, 0.05, 0.3, 0.1]
    seen, breakdown = make_evidence(16, 4, seed=seed), parts(*heads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EXACT", 0)
        found = placement(seen, breakdown, score=SCORE, target=FIFTH, beam=beam, noise=0.0)
    assert found.allowed_loss is not None
    for kept in [(), *((at,) for at in range(4)), tuple(range(4))]:
        assert found.best.cost <= cheapest(seen, breakdown, kept, found.allowed_loss) + 1e-12
    assert found.best.loss <= found.allowed_loss + 1e-12
    assert [trial.cost for trial in found.trials] == sorted(trial.cost for trial in found.trials)


@settings(deadline=None, max_examples=some(15))
@given(st.integers(0, 99), st.sets(st.integers(0, 2), min_size=1), st.sampled_from([0, 6]))
def test_who_always_stays_is_in_every_trial_and_the_rest_is_as_good_as_can_be(
    seed: int, always: set[int], exact: int
) -> None:
    seen, breakdown = make_evidence(30, 3, seed=seed), parts(0.4, 0.9, 0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EXACT", exact)
        found = placement(seen, breakdown, score=SCORE, target=FIFTH, noise=0.0, always=sorted(always), beam=9)
    assert found.allowed_loss is not None
    assert all(always <= set(trial.kept) for trial in found.trials)
    able = [kept for kept in subsets(3) if always <= set(kept)]
    assert found.best.cost == pytest.approx(min(cheapest(seen, breakdown, kept, found.allowed_loss) for kept in able))


@settings(deadline=None, max_examples=some(10))
@given(st.integers(0, 99), st.floats(0.01, 0.5), st.booleans())
def test_who_costs_more_and_answers_like_another_is_never_kept(seed: int, more: float, first: bool) -> None:
    seen = make_evidence(60, 2, seed=seed)
    seen = replace(
        seen,
        predictions=seen.predictions[:, [0, 0, 1, 2]],
        scores={name: value[:, [0, 0, 1]] for name, value in seen.scores.items()},
    )
    heads = [0.1 + more, 0.1, 0.1] if first else [0.1, 0.1 + more, 0.1]
    breakdown = replace(parts(*heads), stages=np.array([1.0, 0, 1, 2]))
    found = placement(seen, breakdown, score=SCORE, target=TENTH)
    assert (0 if first else 1) not in found.kept


def test_exits_that_cost_more_than_they_save_are_all_dropped() -> None:
    found = placement(make_evidence(200, 3), parts(9.0, 9.0, 9.0), score=SCORE)
    assert found.kept == ()
    assert (found.best.relative, found.best.loss, found.best.point.thresholds) == (1.0, 0.0, ())


def test_seconds_serve_as_well_as_multiply_accumulates() -> None:
    seen, whole = make_evidence(300, 3), parts(0.2, 0.5, 0.1, gate_overhead=0.05)
    small = Breakdown(
        stages=whole.stages * 1e-4,
        heads=whole.heads * 1e-4,
        gate_overheads=whole.gate_overheads * 1e-4,
        baseline=4e-4,
        unit="macs",
    )
    one, other = (placement(seen, costs, score=SCORE) for costs in (whole, small))
    assert one.kept == other.kept
    assert one.best.relative == pytest.approx(other.best.relative)


def test_fewer_calibration_samples_allow_less() -> None:
    seen, breakdown = make_evidence(1000, 2), parts(0.1, 0.1)
    many, few = (placement(seen, breakdown, score=SCORE, calibration=count) for count in (5000, 300))
    assert many.allowed_loss > few.allowed_loss == 0.0  # type: ignore[operator]  # a promise has one
    assert many.best.cost < few.best.cost


def test_at_most_so_many_are_kept() -> None:
    found = placement(make_evidence(300, 3), parts(0.01, 0.01, 0.01), score=SCORE, most=1)
    assert max(len(trial.kept) for trial in found.trials) == 1


@pytest.mark.parametrize("budget", [0.9, 0.5])
def test_within_a_budget_least_is_lost(budget: float) -> None:
    seen, breakdown = make_evidence(60, 2), parts(0.1, 0.1)
    found = placement(seen, breakdown, score=SCORE, budget=budget)
    assert found.allowed_loss is None
    assert found.best.relative <= budget
    for kept in subsets(2):
        drawn = frontier(seen.keep(kept), breakdown.costs(kept), score=SCORE)
        fine = [1 - point.agreement for point in drawn.points if point.relative_macs <= budget]
        assert found.best.loss <= min(fine, default=1.0) + 1e-12


EXITS = st.integers(1, 4).flatmap(lambda count: st.lists(st.floats(0.0, 0.8), min_size=count, max_size=count))


@settings(deadline=None, max_examples=some(15))
@given(st.integers(0, 99), EXITS, st.floats(0, 2), st.sampled_from([None, 0.8]))
def test_a_kept_exit_is_taken_and_nothing_is_as_good_without_it(
    seed: int, heads: list[float], noise: float, budget: float | None
) -> None:
    seen, breakdown = make_evidence(40, len(heads), seed=seed), parts(*heads)
    asked = {"score": SCORE, "target": FIFTH, "calibration": 200, "budget": budget}
    found = placement(seen, breakdown, noise=noise, **asked)  # type: ignore[arg-type]  # of different types
    assert all(rate > 0 for rate in found.best.point.exit_rates[:-1])
    without = {trial.kept: trial for trial in found.trials}
    for gone in found.kept:
        less = without[tuple(at for at in found.kept if at != gone)]
        assert less.rank > found.best.rank, gone


def test_an_exit_that_saves_no_more_than_noise_goes() -> None:
    seen, breakdown = make_evidence(150, 3, seed=3), parts(0.1, 0.6, 0.1)
    asked = {"score": SCORE, "target": TENTH, "calibration": 400}
    counts = []
    for noise in (0.0, 1.0, 3.0, np.inf):
        found = placement(seen, breakdown, noise=noise, **asked)  # type: ignore[arg-type]  # of different types
        counts.append(len(found.kept))
        assert found.best.loss <= found.allowed_loss + 1e-12  # type: ignore[operator]  # a promise has one
        ranks = [(trial.rank, len(trial.kept)) for trial in found.trials[1:]]
        assert ranks == sorted(ranks)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > counts[-1] == 0


def test_a_saving_that_every_sample_makes_is_no_noise() -> None:
    seen = make_evidence(60, 1)
    alike = replace(seen, predictions=np.stack([seen.reference] * 2, axis=1))
    found = placement(alike, parts(0.9), score=SCORE, noise=50.0)
    assert found.kept == (0,)
    assert found.best.relative == pytest.approx(0.95)


def with_blind_score(seen: Evidence) -> Evidence:
    """The same with a score that knows nothing of the samples."""
    random = np.random.default_rng(0).random(seen.scores[SCORE].shape).astype(np.float32)
    return replace(seen, scores={**seen.scores, "blind": random}, gates={**seen.gates, "blind": seen.gates[SCORE]})


@pytest.mark.parametrize("exact", [6, 0])
@pytest.mark.parametrize("budget", [None, 0.7])
def test_of_several_scores_the_one_whose_best_exits_are_worth_most_gates(
    exact: int, budget: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXACT", exact)
    seen, breakdown = with_blind_score(make_evidence(200, 3)), parts(0.1, 0.1, 0.1)
    asked = {"target": TENTH, "calibration": 500, "budget": budget}
    alone = {name: placement(seen, breakdown, score=name, **asked) for name in ("blind", SCORE)}  # type: ignore[arg-type]
    together = placement(seen, breakdown, score=("blind", SCORE), **asked)  # type: ignore[arg-type]  # of different types
    assert alone[SCORE].best.rank < alone["blind"].best.rank
    assert (together.score, together.best) == (SCORE, alone[SCORE].best)
    assert {name: trial.kept for name, trial in together.by_score.items()} == {
        name: found.kept for name, found in alone.items()
    }
    assert {trial.score for trial in together.trials} == {SCORE}
    assert together.tried == sum(found.tried for found in alone.values())


def test_a_score_is_charged_for_what_it_costs() -> None:
    seen, cheap, dear = make_evidence(200, 2), parts(0.1, 0.1), parts(0.3, 0.3)
    seen = replace(
        seen,
        scores={**seen.scores, "same": seen.scores[SCORE]},
        gates={**seen.gates, "same": seen.gates[SCORE]},
    )
    asked = {"score": ("same", SCORE), "target": TENTH, "calibration": 500}
    assert placement(seen, {"same": dear, SCORE: cheap}, **asked).score == SCORE  # type: ignore[arg-type]
    assert placement(seen, {"same": cheap, SCORE: cheap}, **asked).score == "same"  # type: ignore[arg-type]


def test_less_than_no_noise_is_refused() -> None:
    with pytest.raises(OptionError, match="noise must be 0 or more"):
        placement(make_evidence(20, 1), parts(0.1), score=SCORE, noise=-1.0)


def test_accuracy_may_be_what_is_lost() -> None:
    seen = make_evidence(300, 2)
    found = placement(seen, parts(0.1, 0.1), score=SCORE, target=Target(kind="net", max_loss=0.05))
    assert found.best.loss == pytest.approx(float(np.mean(seen.reference == seen.labels)) - found.best.point.accuracy)  # type: ignore[operator]  # it is there


def test_evidence_and_costs_of_other_exits_are_refused() -> None:
    with pytest.raises(OptionError, match="2 and 3"):
        placement(make_evidence(20, 2), parts(1.0, 1.0, 1.0), score=SCORE)


@pytest.mark.parametrize("asked", [{"most": 0}, {"beam": 0}, {"budget": 0.0}])
def test_counts_and_budgets_must_be_positive(asked: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"but {next(iter(asked))}=0"):
        placement(make_evidence(20, 1), parts(0.1), score=SCORE, **asked)


def test_a_promise_about_labels_needs_them() -> None:
    with pytest.raises(EvidenceError, match="labels"):
        placement(make_evidence(20, 1, labels=False), parts(0.1), score=SCORE, target=Target(kind="harm"))
