"""Disjoint random parts of samples."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from offramp.errors import OptionError
from offramp.run import Samples


def split(samples: Samples, fractions: Sequence[float], seed: int) -> tuple[Samples, ...]:
    """Divide samples at random into disjoint parts.

    Args:
        samples: What to divide.
        fractions: Share of each part; together at most 1. If they make 1, every sample is in a part.
        seed: Of the order; the same seed gives the same parts.

    Returns:
        One set of samples per fraction.

    Raises:
        OptionError: A fraction is negative or NaN, or they exceed 1 together.

    Example:
        >>> from offramp.run import ArraySamples
        >>> ten = ArraySamples(inputs={"x": np.eye(10)}, ids=np.array(list("abcdefghij")))
        >>> [len(part) for part in split(ten, (0.3, 0.35, 0.35), seed=0)]
        [3, 3, 4]
    """
    shares = np.asarray(fractions, dtype=np.float64)
    if not (shares >= 0).all() or shares.sum() > 1 + 1e-9:
        raise OptionError(f"fractions must be 0 or more and together at most 1, but are {list(fractions)}. Lower them.")
    order = np.random.default_rng(seed).permutation(len(samples))
    bounds = np.rint(np.concatenate(([0.0], np.cumsum(shares))) * len(samples)).astype(np.int64)
    return tuple(samples.subset(order[start:end]) for start, end in itertools.pairwise(bounds))
