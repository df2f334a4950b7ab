"""Random parts: disjoint, complete, repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.data import split
from offramp.errors import OptionError
from offramp.run import ArraySamples


def make_samples(count: int) -> ArraySamples:
    ids = np.array([f"s/{at}" for at in range(count)], dtype=np.str_)
    return ArraySamples(inputs={"x": np.arange(count, dtype=np.float32)[:, None]}, ids=ids)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 200), st.integers(0, 9))
def test_parts_share_nothing_and_lose_nothing(count: int, seed: int) -> None:
    parts = split(make_samples(count), (0.3, 0.35, 0.35), seed)
    ids = np.concatenate([part.ids for part in parts])
    assert sorted(ids) == sorted(f"s/{at}" for at in range(count))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 0.25), min_size=1, max_size=4))
def test_sizes_follow_the_fractions(fractions: list[float]) -> None:
    sizes = [len(part) for part in split(make_samples(100), fractions, 0)]
    assert np.allclose(sizes, np.array(fractions) * 100, atol=1.01)  # both ends are rounded


def test_a_seed_repeats_its_parts_and_another_does_not() -> None:
    samples = make_samples(50)
    first, again, other = (split(samples, (0.5, 0.5), seed)[0].ids.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_samples_stay_with_their_ids() -> None:
    part = split(make_samples(20), (0.4,), 3)[0]
    assert [f"s/{value:.0f}" for value in part.take(slice(None))["x"][:, 0]] == part.ids.tolist()


@pytest.mark.parametrize("fractions", [(0.6, 0.6), (-0.1, 0.5), (float("nan"),)])
def test_impossible_fractions_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(OptionError, match="together at most 1"):
        split(make_samples(4), fractions, 0)
