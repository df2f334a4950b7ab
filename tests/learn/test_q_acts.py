"""Counterfactual runs: one decision changes, one sample of a mini-bag at a time."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from offramp.learn._q_acts import Acts, swap, swap_rows, turn_one


@given(st.lists(st.integers(2, 4), min_size=1, max_size=4), st.integers(0, 9), st.integers(0, 1000))
def test_of_each_sample_one_control_node_that_ran_opens_another_edge(edges: list[int], rows: int, seed: int) -> None:
    torch.manual_seed(seed)
    counts = torch.tensor(edges)[:, None]
    route = torch.randint(max(edges) + 1, (len(edges), rows)).minimum(counts)
    turned, ran = turn_one(route, edges), route < counts
    assert (turned[~ran] == -1).all()
    assert ((turned >= 0) & (turned < counts))[ran].all()
    assert torch.equal((ran & (turned != route)).sum(dim=0), ran.any(dim=0).long())


def test_every_control_node_and_every_other_edge_gets_its_turn() -> None:
    turned = turn_one(torch.zeros(2, 600, dtype=torch.int64), [2, 3])
    assert {tuple(way) for way in turned.T.tolist()} == {(1, 0), (0, 1), (0, 2)}
    share = (turned[1] == 2).float().mean()
    assert 0.15 < share < 0.35  # a quarter is expected


def make_acts(count: int, offset: float) -> Acts:
    rows = torch.arange(count, dtype=torch.float32) + offset
    return Acts(values=rows[None], ran=torch.ones(1, count, dtype=torch.bool), answers=rows.long(), efficiency=rows)


@given(st.integers(1, 4), st.integers(1, 5))
def test_a_mini_bag_is_tried_once_with_each_of_its_samples_exchanged(bags: int, size: int) -> None:
    first, second = make_acts(bags * size, 0), make_acts(bags * size, 1000)
    swapped = swap(first, second, size).efficiency.view(bags, size, size)
    was, other = first.efficiency.view(bags, size), second.efficiency.view(bags, size)
    for at in range(size):
        expected = was.clone()
        expected[:, at] = other[:, at]
        assert torch.equal(swapped[:, at], expected)


def test_alone_a_sample_is_simply_exchanged() -> None:
    first, second = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    assert torch.equal(swap_rows(first, second, 1), second)
