from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, chi2_contingency

from evidences import make_evidence
from offramp.decide import DriftTest, Shift
from offramp.decide._shift import _compare_counts, find_shift
from offramp.errors import EvidenceError, ThresholdError
from offramp.measure import Evidence, exits_taken

LIMITS = {"max_probability": [0.95, 0.9], "entropy": [0.2, 0.3]}
SOURCE = make_evidence(20_000, 2, seed=4)


def compare(old: Evidence, new: Evidence, score: str = "max_probability", test: DriftTest | None = None) -> Shift:
    taken = exits_taken(new, LIMITS[score], score)
    return find_shift(old, new, taken, thresholds=LIMITS[score], score=score, test=test or DriftTest())


def with_scores(evidence: Evidence, **scores: np.ndarray) -> Evidence:
    return replace(evidence, scores={**evidence.scores, **scores})


@pytest.mark.parametrize("score", list(LIMITS))
def test_samples_of_one_kind_are_rarely_called_different(score: str) -> None:
    random, found = np.random.default_rng(0), []
    for _ in range(200):
        some = random.choice(len(SOURCE), 500, replace=False)
        found.append(compare(SOURCE.subset(some[:300]), SOURCE.subset(some[300:]), score, DriftTest(alpha=0.05)).found)
    assert np.mean(found) <= binom.ppf(0.99, 200, 0.05) / 200
    assert any(found)  # and not by never looking


@pytest.mark.parametrize("score", list(LIMITS))
def test_samples_that_are_less_sure_are_called_different(score: str) -> None:
    hard = np.argsort(SOURCE.scores["max_probability"][:, 1])[:10_000]  # the less sure half among others
    mixed = SOURCE.subset(np.union1d(hard[:800], np.arange(800)))
    found = compare(SOURCE.subset(slice(10_000, 11_000)), mixed, score)
    assert found.found
    assert found.p_value <= 3e-4 * 1.001
    assert found.rates[-1] > found.expected_rates[-1]
    assert found.change == pytest.approx(np.abs(np.subtract(found.rates, found.expected_rates)).max())


def test_scores_tell_what_exit_rates_hide() -> None:
    """Between two thresholds the scores crowd, but nobody leaves elsewhere."""
    old, new = SOURCE.subset(slice(1000)), SOURCE.subset(slice(1000, 2000))
    scores = new.scores["max_probability"]
    new = with_scores(new, max_probability=np.where(scores < 0.9, 0.3, scores))
    found = compare(old, new)
    assert found.exits_p > 0.01
    assert found.found


def test_exit_rates_tell_what_a_few_scores_hide() -> None:
    """All new samples were counted, the scores of a few were looked at."""
    old, new = SOURCE.subset(slice(3000)), SOURCE.subset(slice(3000, 3050))
    taken = np.repeat([0, 1, 2], [10_000, 5_000, 5_000])
    found = find_shift(old, new, taken, thresholds=LIMITS["entropy"], score="entropy", test=DriftTest())
    assert (found.samples, found.expected_samples) == (20_000, 3000)
    assert found.found
    assert min(found.scores_p) > 0.01


def test_what_another_batch_size_changes_in_a_score_is_no_shift() -> None:
    old, new = SOURCE.subset(slice(2000)), SOURCE.subset(slice(2000, 4000))
    sure = with_scores(old, max_probability=np.ones((2000, 2)))
    nearly = with_scores(new, max_probability=np.full((2000, 2), np.nextafter(np.float32(1), np.float32(0))))
    assert compare(sure, nearly).p_value == 1.0


def test_scores_that_never_stop_count_as_the_least_sure() -> None:
    old, new = SOURCE.subset(slice(1000)), SOURCE.subset(slice(1000, 2000))
    scores = new.scores["entropy"].copy()
    scores[:300] = np.nan
    unsure = with_scores(new, entropy=scores)
    least = with_scores(new, entropy=np.where(np.isnan(scores), np.inf, scores))
    assert compare(old, unsure, "entropy").found
    assert compare(old, unsure, "entropy") == compare(old, least, "entropy")


@pytest.mark.parametrize("new", [(480, 320, 200), (450, 320, 230), (510, 290, 200)])
def test_the_p_value_of_common_exits_is_that_of_chi_squared(new: tuple[int, ...]) -> None:
    old = np.array([500, 300, 200])
    told = chi2_contingency(np.array([old, new]), lambda_="log-likelihood").pvalue
    assert _compare_counts(old, np.array(new), 0) == pytest.approx(told, abs=0.02)


def test_an_exit_that_nobody_takes_changes_nothing() -> None:
    counts = np.array([500, 300]), np.array([450, 320])
    wider = [np.insert(one, 1, 0) for one in counts]
    assert _compare_counts(*wider, 0) == pytest.approx(_compare_counts(*counts, 0), abs=0.02)  # type: ignore[arg-type,call-arg]  # as it is at run time
    assert _compare_counts(np.array([0, 9]), np.array([0, 9]), 0) == 1.0


def test_a_network_without_early_exits_shows_nothing() -> None:
    alone = make_evidence(50, 0)
    found = find_shift(alone, alone, np.zeros(50, np.int64), thresholds=[], score="entropy", test=DriftTest())
    assert (found.p_value, found.scores_p, found.change) == (1.0, (), 0.0)


def test_evidence_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EvidenceError, match="luck"):
        find_shift(SOURCE, SOURCE, np.zeros(9, np.int64), thresholds=[0.5, 0.5], score="luck", test=DriftTest())
    with pytest.raises(ThresholdError, match="one per early exit"):
        find_shift(SOURCE, SOURCE, np.zeros(9, np.int64), thresholds=[0.5], score="entropy", test=DriftTest())
