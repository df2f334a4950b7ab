"""How much a sample counts at an exit that may never see it."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.learn._sample_weighting import stay_on, weigh_by_arrival

ROWS, CLASSES = 32, 5


def logits(seed: int, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1), st.integers(0, 1000), st.integers(0, 30), st.floats(0, 100), st.booleans())
def test_samples_count_one_on_average_and_never_nothing(
    amount: float, seed: int, exits: int, scale: float, same: bool
) -> None:
    stays, teacher = torch.ones(ROWS), logits(seed)
    for at in range(exits):
        stays = stay_on(stays, teacher if same else logits(seed + at + 1, scale), teacher)
    share = weigh_by_arrival(stays, amount)
    torch.testing.assert_close(share.mean(), torch.tensor(1.0))
    assert bool((share > 0).all())


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_without_any_amount_all_samples_count_exactly_alike(seed: int) -> None:
    stays = stay_on(torch.ones(ROWS), logits(seed), logits(seed + 1))
    assert torch.equal(weigh_by_arrival(stays, 0.0), torch.ones(ROWS))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_nobody_comes_past_an_exit_more_surely_than_to_it(seed: int) -> None:
    before = stay_on(torch.ones(ROWS), logits(seed), logits(seed + 1))
    after = stay_on(before, logits(seed + 2), logits(seed + 1))
    assert bool((after <= before).all())


def test_the_surest_leave_and_as_many_as_agree() -> None:
    given_ = logits(0)
    teacher = given_.clone()
    sure = given_.softmax(1).amax(1)
    hard = sure.argsort()[: ROWS // 2]
    teacher[hard] = -teacher[hard]  # the head is wrong on the less sure half
    stays = stay_on(torch.ones(ROWS), given_, teacher)
    assert bool((stays[sure.argsort()].diff() <= 0).all())
    torch.testing.assert_close(stays.sum(), torch.tensor(ROWS / 2), atol=1e-3, rtol=0)


def test_of_an_exit_that_never_agrees_almost_all_stay() -> None:
    given_ = logits(0)
    stays = stay_on(torch.ones(ROWS), given_, -given_)
    assert float(stays.mean()) > 0.9


def test_agreement_is_that_of_the_samples_that_come_there() -> None:
    given_ = logits(0)
    teacher = given_.clone()
    teacher[: ROWS // 2] *= -1  # wrong on the first half, which has left before
    before = torch.ones(ROWS)
    before[: ROWS // 2] = 1e-3
    after = stay_on(before, given_, teacher)
    assert float(after[ROWS // 2 :].mean()) < 0.15  # nearly all who come agree, so nearly all leave


def test_nothing_flows_back() -> None:
    given_ = logits(0).requires_grad_()
    assert not stay_on(torch.ones(ROWS), given_, logits(1)).requires_grad
