"""Drift: are new samples still those that a promise was made for, and does it still stand?

Shape letters: S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offramp.measure import Evidence, exits_taken

from ._drift_test import DriftTest
from ._guarantee_check import GuaranteeCheck, Verdict, check_guarantee
from ._shift import Shift, find_shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What new samples say about a promise.

    Attributes:
        shift: Whether they look different.
        guarantee: Whether the promise stands on them.
    """

    shift: Shift
    guarantee: GuaranteeCheck

    @property
    def alarm(self) -> bool:
        """Whether somebody should look: the samples look different, or the promise is broken.

        On samples like the expected ones that is rarer than `alpha` and, if the promise holds, half of what its
        confidence leaves, together; as a promised loss lies below its limit, hardly rarer than `alpha`.
        """
        return self.shift.found or self.guarantee.verdict is Verdict.BROKEN


def drift(
    expected: Evidence,
    seen: Evidence,
    thresholds: Sequence[float],
    *,
    score: str,
    taken: NDArray[np.int64] | None = None,
    test: DriftTest | None = None,
) -> Drift:
    """Compare new samples, which need no labels, with those that a promise was proven on.

    Two questions with an error bound each: do exit rates and scores differ more than chance explains, and between
    which limits lies the loss? The first tells early, the second what it means for the promise.

    Args:
        expected: Evidence of the calibration samples.
        seen: Evidence of new samples, independent and in random order, whose reference is the final exit.
        thresholds: One threshold per early exit.
        score: Name of the score that the gates compare.
        taken: [S] the exit that each new sample took, if there are more of them than in `seen`.
        test: The promise, and how sure to be; without it nothing was promised.

    Returns:
        Whether the new samples look different, and what they say about the promise.

    Raises:
        EvidenceError: The evidence does not hold this score.
        ThresholdError: Not one threshold per early exit.

    Example:
        >>> from offramp.decide import Target, DriftTest
        >>> from offramp.graph import Gate
        >>> gate, random = Gate(direction="higher", stop_all=0.0, stop_none=2.0), np.random.default_rng(1)
        >>> def draw(unsure):
        ...     sure, answers = random.random((1000, 1)) ** unsure, np.zeros((1000, 2), np.int64)
        ...     return Evidence(ids=np.arange(1000), predictions=answers, scores={"p": sure}, gates={"p": gate},
        ...                     reference=answers[:, 1])
        >>> test, before = DriftTest(target=Target(max_loss=0.01)), draw(1)
        >>> [drift(before, draw(unsure), [0.5], score="p", test=test).alarm for unsure in (1, 2)]
        [False, True]
    """
    asked = test or DriftTest()
    if taken is None:
        taken = exits_taken(seen, thresholds, score)
    return Drift(
        guarantee=check_guarantee(expected, seen, thresholds, score=score, test=asked),
        shift=find_shift(expected, seen, taken, thresholds=thresholds, score=score, test=asked),
    )
