"""Tests of the placement rules, against the positions that follow from the paper's rule."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.attach._placement import RULES, Rule, place
from offramp.errors import CaptureError, OptionError


def cifar_resnet(depth: int) -> tuple[list[int], int]:
    """MACs of convolutions before the end of each block, 1x1 projections included, and of the whole network."""
    blocks = (depth - 2) // 6
    costs = []
    for channels, size in ((16, 32), (32, 16), (64, 8)):
        area = size * size
        for block in range(blocks):
            grows = block == 0 and channels > 16
            first = 9 * (channels // 2 if grows else channels) * channels * area
            costs.append(first + 9 * channels * channels * area + (channels // 2 * channels * area if grows else 0))
    stem = 9 * 3 * 16 * 1024
    done = [stem + cost for cost in accumulate(costs)]
    return done, done[-1]


@pytest.mark.parametrize(
    ("depth", "rule", "positions"),
    [
        (20, "fine", [1, 2, 3]),
        (20, "pareto", [2, 4, 5]),
        (20, "linear", [3, 5, 7]),
        (20, "golden", [2, 4, 6]),
        (32, "fine", [1, 2, 3, 4, 5]),
        (32, "pareto", [3, 6, 8, 9, 10]),
        (32, "linear", [3, 5, 8, 10, 13]),
        (32, "golden", [2, 3, 4, 6, 10]),
        (110, "fine", [3, 6, 8, 10, 13, 15, 17, 18, 20, 22]),
        (110, "pareto", [11, 20, 27, 32, 37, 40, 43, 45, 47, 49]),
        (110, "linear", [5, 10, 15, 20, 25, 30, 35, 40, 45, 50]),
        (110, "golden", [1, 2, 3, 4, 5, 6, 8, 13, 21, 34]),
    ],
)
def test_exits_sit_after_the_blocks_of_the_paper(depth: int, rule: Rule, positions: list[int]) -> None:
    done, total = cifar_resnet(depth)
    assert [at + 1 for at in place(done, total, len(positions), rule)] == positions


def fit(done: list[int], total: int, count: int, rule: Rule) -> list[int]:
    """The places of as many of these exits as fit, told as the paper does: by the share of work before each exit."""
    golden = (1 + 5**0.5) / 2
    shares = {
        "fine": [1 - 0.95**at for at in range(1, count + 1)],
        "pareto": [1 - 0.8**at for at in range(1, count + 1)],
        "linear": [at / (count + 1) for at in range(1, count + 1)],
        "golden": [golden ** (at - 1 - count) for at in range(1, count + 1)],
    }
    found: list[int] = []
    for share in shares[rule]:
        late = [at for at, macs in enumerate(done) if macs >= share * total and at > max(found, default=-1)]
        found += late[:1]
    return found


@given(
    costs=st.lists(st.integers(1, 100), min_size=1, max_size=30), count=st.integers(0, 6), rule=st.sampled_from(RULES)
)
@settings(deadline=None, max_examples=50)
def test_each_exit_goes_to_the_first_free_place_that_has_done_enough(costs: list[int], count: int, rule: Rule) -> None:
    done = list(accumulate(costs))
    total = done[-1] + 1
    fitting = fit(done, total, count, rule)
    if len(fitting) < count:
        with pytest.raises(CaptureError, match=f"only {len(fitting)} of {len(done)}"):
            place(done, total, count, rule)
    else:
        assert place(done, total, count, rule) == fitting


def test_more_exits_than_places_are_refused_with_the_number_that_fits() -> None:
    with pytest.raises(CaptureError, match="5 exits by rule 'linear' do not fit: only 2 of 2"):
        place([20, 40], 60, 5, "linear")


@pytest.mark.parametrize(("count", "rule"), [(-1, "linear"), (2, "even")])
def test_unknown_rules_and_negative_counts_are_refused(count: int, rule: Rule) -> None:
    with pytest.raises(OptionError, match="fine, pareto, linear, golden"):
        place([10, 20], 30, count, rule)
