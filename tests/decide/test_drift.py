from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from evidences import make_costs, make_evidence
from offramp import decide
from offramp.decide import Drift, DriftTest, Target, Verdict
from offramp.measure import Evidence, frontier

SCORE, PROMISE = "max_probability", Target(max_loss=0.03, kind="agreement")
SOURCE = make_evidence(25_000, 2, seed=8)
TUNE, REST = SOURCE.subset(slice(1000)), SOURCE.subset(slice(1000, None))


@pytest.fixture(scope="module")
def thresholds() -> tuple[float, ...]:
    """Promised on 1,000 samples of which the tests see no other."""
    drawn = frontier(TUNE, make_costs(2), score=SCORE)
    assert PROMISE.max_loss is not None
    made = decide.thresholds(drawn, REST.subset(slice(1000)), max_loss=PROMISE.max_loss)
    assert made.guarantee is not None
    assert made.guarantee.status == "certified"
    return made.thresholds


def check(old: Evidence, new: Evidence, thresholds: tuple[float, ...]) -> Drift:
    return decide.drift(old, new, thresholds, score=SCORE, test=DriftTest(target=PROMISE))


def test_fresh_samples_of_one_kind_rarely_raise_the_alarm(thresholds: tuple[float, ...]) -> None:
    random, alarms, broken = np.random.default_rng(1), 0, 0
    for _ in range(200):
        some = random.choice(np.arange(1000, len(REST)), 700, replace=False)
        found = check(REST.subset(some[:400]), REST.subset(some[400:]), thresholds)
        alarms += found.alarm
        broken += found.guarantee.verdict is Verdict.BROKEN
    assert alarms <= binom.ppf(0.99, 200, 0.01)
    assert broken == 0


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_harder_samples_raise_the_alarm(share: float, thresholds: tuple[float, ...]) -> None:
    hard = np.argsort(REST.scores[SCORE].mean(axis=1))[:5000]
    random = np.random.default_rng(3)
    cut = round(600 * share)
    mixed = np.concatenate([random.choice(hard, cut, replace=False), random.integers(0, 1000, 600 - cut)])
    new = REST.subset(np.unique(mixed))
    found = check(REST.subset(slice(5000, 7000)), new.subset(random.permutation(len(new))), thresholds)
    assert found.alarm
    assert found.shift.found
    assert found.shift.rates[-1] > found.shift.expected_rates[-1]


def test_a_broken_promise_raises_the_alarm_though_the_inputs_look_the_same(thresholds: tuple[float, ...]) -> None:
    old, new = REST.subset(slice(1000, 2000)), REST.subset(slice(2000, 3000))
    turned = new.predictions.copy()
    turned[::8, :2] = (turned[::8, 2:] + 1) % 10
    lost = Evidence(ids=new.ids, predictions=turned, scores=new.scores, gates=new.gates, reference=new.reference)
    found = check(old, lost, thresholds)
    assert (found.shift.found, found.guarantee.verdict, found.alarm) == (False, Verdict.BROKEN, True)


def test_samples_that_differ_raise_the_alarm_though_the_promise_stands(thresholds: tuple[float, ...]) -> None:
    easy = np.argsort(REST.scores[SCORE].mean(axis=1))[-4000:]
    found = check(REST.subset(slice(1000, 2000)), REST.subset(easy[:2000]), thresholds)
    assert (found.shift.found, found.guarantee.verdict, found.alarm) == (True, Verdict.STANDS, True)


def test_the_same_seed_says_the_same(thresholds: tuple[float, ...]) -> None:
    old, new = REST.subset(slice(500)), REST.subset(slice(500, 900))
    assert check(old, new, thresholds) == check(old, new, thresholds)


def test_without_a_promise_only_the_inputs_are_compared() -> None:
    found = decide.drift(REST.subset(slice(500)), REST.subset(slice(500, 900)), [0.0, 0.0], score=SCORE)
    assert found.guarantee.verdict is Verdict.NOTHING_PROMISED
    assert found.guarantee.loss > 0.03
    assert not found.alarm
