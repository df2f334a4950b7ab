from __future__ import annotations

import numpy as np
import pytest

from evidences import GATES, make_evidence
from offramp.decide import Kind, aim_at, certifiable_loss, find_losses, needed_samples, p_value
from offramp.errors import EvidenceError, OptionError
from offramp.measure import Evidence

SEEN = Evidence(
    ids=np.arange(4),
    predictions=np.array([[0, 0], [1, 0], [0, 1], [2, 1]]),
    scores={"p": np.ones((4, 1), np.float32)},
    gates={"p": GATES["max_probability"]},
    reference=np.array([0, 0, 1, 1]),
    labels=np.array([0, 0, 0, 3]),
)


@pytest.mark.parametrize(
    ("kind", "losses"), [("agreement", [0, 1, 1, 1]), ("harm", [0, 1, 0, 0]), ("net", [0, 1, -1, 0])]
)
def test_each_kind_counts_its_own_losses(kind: Kind, losses: list[int]) -> None:
    assert find_losses(SEEN, [0.5], "p", kind).tolist() == losses


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="agreement, harm or net"):
        find_losses(SEEN, [0.5], "p", "pain")  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("kind", ["harm", "net"])
def test_harm_and_net_need_labels(kind: Kind) -> None:
    with pytest.raises(EvidenceError, match="labels"):
        find_losses(make_evidence(5, 1, labels=False), [0.5], "entropy", kind)


@pytest.mark.parametrize(("lost", "passes"), [(16, True), (17, False)])
def test_one_percent_of_2500_allows_16_losses(lost: int, passes: bool) -> None:
    losses = np.repeat([1, 0], [lost, 2500 - lost]).astype(np.int8)
    assert (p_value(losses, "agreement", max_loss=0.01, confidence=0.95) <= 0.05) == passes


@pytest.mark.parametrize(("samples", "passes"), [(299, True), (298, False)])
def test_299_samples_without_a_loss_are_needed(samples: int, passes: bool) -> None:
    assert needed_samples(0.01, 0.95) == 299
    p = p_value(np.zeros(samples, np.int8), "agreement", max_loss=0.01, confidence=0.95)
    assert (p <= 0.05) == passes


def _share_of_false_proofs(gain: float, loss: float, max_loss: float) -> float:
    random = np.random.default_rng(0)
    drawn = random.choice(np.array([-1, 0, 1], np.int8), p=[gain, 1 - gain - loss, loss], size=(1000, 800))
    return float(np.mean([p_value(row, "net", max_loss=max_loss, confidence=0.95) <= 0.05 for row in drawn]))


@pytest.mark.parametrize(("gain", "loss"), [(0.0, 0.02), (0.02, 0.04), (0.1, 0.12)])
def test_the_bet_on_a_net_loss_at_the_limit_rarely_wins(gain: float, loss: float) -> None:
    assert _share_of_false_proofs(gain, loss, loss - gain) <= 0.07  # 0.05 and two standard errors


def test_the_bet_on_a_net_gain_wins_with_few_samples() -> None:
    assert _share_of_false_proofs(0.03, 0.01, 0.02) > 0.9


def test_nothing_is_proved_by_losses_alone() -> None:
    assert p_value(np.ones(50, np.int8), "net", max_loss=0.01, confidence=0.95) == 1.0


@pytest.mark.parametrize("samples", [299, 300, 700, 2500, 5001])
@pytest.mark.parametrize("max_loss", [0.01, 0.03])
def test_what_is_certifiable_just_certifies(samples: int, max_loss: float) -> None:
    loss = certifiable_loss(samples, "harm", max_loss=max_loss, confidence=0.95)
    counted = [np.arange(samples) < round(loss * samples) + more for more in (0, 1)]
    fine, worse = (p_value(one.astype(np.int8), "harm", max_loss=max_loss, confidence=0.95) for one in counted)
    assert fine <= 0.05 < worse


def test_too_few_samples_certify_no_loss_at_all() -> None:
    assert certifiable_loss(100, "agreement", max_loss=0.01, confidence=0.95) == 0.0
    assert certifiable_loss(100, "net", max_loss=0.01, confidence=0.95) == 0.0


def test_net_losses_that_are_certifiable_certify_in_most_draws() -> None:
    loss = certifiable_loss(5000, "net", max_loss=0.02, confidence=0.95)
    assert 0.005 < loss < 0.02
    shares = [0.015 - loss / 2, 1 - 0.03, 0.015 + loss / 2]  # gained, same, lost
    draws = [np.random.default_rng(at).choice(np.array([-1, 0, 1], np.int8), 5000, p=shares) for at in range(60)]
    passed = [p_value(one, "net", max_loss=0.02, confidence=0.95) <= 0.05 for one in draws]
    assert np.mean(passed) > 0.3


@pytest.mark.parametrize(("margin", "aim"), [(0.0, 0.03), (0.1, 0.027), (0.9, 0.003)])
def test_a_margin_is_a_share_of_the_promised_loss(margin: float, aim: float) -> None:
    assert aim_at(0.03, margin) == pytest.approx(aim)
    assert (aim_at(0.03, margin) == 0.03) is (margin == 0)
