from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from evidences import make_evidence
from offramp.decide import DriftTest, GuaranteeCheck, Kind, Target, Verdict, find_losses
from offramp.decide._guarantee_check import check_guarantee
from offramp.graph import Gate
from offramp.measure import Evidence

GATE = Gate(direction="higher", stop_all=0.0, stop_none=2.0)


def everybody_leaves(samples: int, *, changed: int, wrong: int | None = None, right: int = 0) -> Evidence:
    """Exit 0 answers 1 where the final exit answers 0, `changed` times; with labels it is wrong or right there."""
    random = np.random.default_rng(0).permutation(samples)
    predictions = np.zeros((samples, 2), np.int64)
    predictions[random[:changed], 0] = 1
    labels = None
    if wrong is not None:
        labels = np.full(samples, 2)
        labels[random[:wrong]], labels[random[wrong : wrong + right]] = 0, 1
    return Evidence(
        ids=np.arange(samples), predictions=predictions, scores={"p": np.ones((samples, 1), np.float32)},
        gates={"p": GATE}, reference=predictions[:, 1], labels=labels,
    )  # fmt: skip


BEFORE = everybody_leaves(1000, changed=3)


def judge(
    seen: Evidence, kind: Kind = "agreement", *, limit: float = 0.01, before: Evidence = BEFORE
) -> GuaranteeCheck:
    test = DriftTest(target=Target(max_loss=limit, kind=kind))
    return check_guarantee(before, seen, [0.5], score="p", test=test)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [(0, Verdict.STANDS), (9, Verdict.STANDS), (14, Verdict.TOO_FEW_SAMPLES), (60, Verdict.BROKEN)],
)
def test_the_verdict_follows_from_the_limits(changed: int, verdict: Verdict) -> None:
    found = judge(everybody_leaves(2000, changed=changed))
    assert found.verdict is verdict
    assert (found.loss, found.samples, found.kind) == (changed / 2000, 2000, "agreement")
    low, high = found.interval
    assert low <= changed / 2000 <= high
    assert (high <= 0.01, low > 0.01) == (verdict is Verdict.STANDS, verdict is Verdict.BROKEN)


@pytest.mark.parametrize(("changed", "more"), [(7, Verdict.STANDS), (14, Verdict.BROKEN)])
def test_so_many_samples_as_are_said_to_be_needed_do_decide(changed: int, more: Verdict) -> None:
    found = judge(everybody_leaves(1000, changed=changed))
    assert found.verdict.is_open
    assert found.needed is not None
    assert f"about {found.needed:,} samples" in found.remedy
    times = found.needed // 1000 + 1
    assert judge(everybody_leaves(1000 * times, changed=changed * times)).verdict is more
    few = max(1, found.needed // 1400)
    assert judge(everybody_leaves(1000 * few, changed=changed * few)).verdict.is_open


@pytest.mark.parametrize("samples", [1, 2, 10, 50, 150])
def test_the_fewest_samples_that_decide_are_found_from_any_number(samples: int) -> None:
    found = judge(everybody_leaves(samples, changed=0), limit=0.02)
    assert (found.verdict, found.needed) == (Verdict.TOO_FEW_SAMPLES, 190)  # 0.98 ** 183 is 0.025; in two digits


def test_a_loss_on_the_limit_is_not_a_matter_of_numbers() -> None:
    found = judge(everybody_leaves(1000, changed=10))
    assert (found.verdict, found.needed) == (Verdict.ON_THE_LIMIT, None)


def test_without_labels_changed_answers_stand_in_for_harm() -> None:
    proven = judge(everybody_leaves(2000, changed=5), "harm")
    assert (proven.verdict, proven.kind, proven.is_stand_in) == (Verdict.STANDS, "agreement", True)
    many = judge(everybody_leaves(2000, changed=200), "harm")
    assert many.verdict is Verdict.NEEDS_LABELS  # they may all have been wrong before
    assert "harm" in many.remedy
    assert judge(everybody_leaves(1000, changed=7), "net").verdict is Verdict.TOO_FEW_SAMPLES


@pytest.mark.parametrize(
    ("kind", "wrong", "right", "verdict"),
    [
        ("harm", 60, 100, Verdict.BROKEN),
        ("harm", 5, 100, Verdict.STANDS),
        ("net", 100, 140, Verdict.STANDS),
        ("net", 140, 0, Verdict.BROKEN),
        ("agreement", 5, 0, Verdict.BROKEN),
    ],
)
def test_labels_tell_which_changes_are_losses(kind: Kind, wrong: int, right: int, verdict: Verdict) -> None:
    found = judge(everybody_leaves(2000, changed=240, wrong=wrong, right=right), kind)
    assert (found.verdict, found.kind, found.is_stand_in) == (verdict, kind, False)


def test_a_net_loss_is_told_how_many_samples_it_needs() -> None:
    found = judge(everybody_leaves(2000, changed=25, wrong=20, right=5), "net")
    assert found.verdict is Verdict.TOO_FEW_SAMPLES
    assert found.needed is not None
    assert found.needed > 2000


def test_what_the_final_exit_changed_itself_widens_the_limits() -> None:
    """It differs from the original network in 0.5 % of the expected samples; on new ones nobody can tell."""
    apart = replace(BEFORE, reference=np.where(np.arange(1000) < 5, 7, BEFORE.reference))
    assert judge(everybody_leaves(2000, changed=0), before=apart).verdict is Verdict.STANDS
    open_ = judge(everybody_leaves(2000, changed=9), before=apart)
    assert (open_.verdict, open_.apart) == (Verdict.TOO_FEW_SAMPLES, 0.005)
    assert judge(everybody_leaves(2000, changed=35), before=apart).verdict is not Verdict.BROKEN
    assert judge(everybody_leaves(2000, changed=60), before=apart).verdict is Verdict.BROKEN
    near = judge(everybody_leaves(2000, changed=20), before=apart)
    assert near.verdict is Verdict.NEEDS_THE_ORIGINAL
    assert "0.50%" in near.remedy


def test_nothing_promised_is_nothing_broken() -> None:
    found = check_guarantee(BEFORE, everybody_leaves(100, changed=90), [0.5], score="p", test=DriftTest())
    assert (found.verdict, found.promised, found.needed) == (Verdict.NOTHING_PROMISED, None, None)
    assert found.loss == 0.9


@pytest.mark.parametrize("kind", ["agreement", "harm", "net"])
def test_a_promise_that_holds_is_rarely_called_broken(kind: Kind) -> None:
    """The worst case: the true loss is the accepted one; each side may err in 2.5 % of the draws."""
    source, random = make_evidence(20_000, 2, seed=6), np.random.default_rng(2)
    accepted = float(find_losses(source, [0.3, 0.3], "max_probability", kind).mean())
    assert 0.002 < accepted < 0.1
    test = DriftTest(target=Target(max_loss=accepted, kind=kind))
    broken = stands = 0
    for _ in range(200):
        seen = source.subset(random.choice(len(source), 400, replace=False))
        verdict = check_guarantee(source, seen, [0.3, 0.3], score="max_probability", test=test).verdict
        broken, stands = broken + (verdict is Verdict.BROKEN), stands + (verdict is Verdict.STANDS)
    assert max(broken, stands) <= binom.ppf(0.99, 200, 0.025)
