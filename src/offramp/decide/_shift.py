"""Do new samples look like those that a promise was proven on? What leaves where, and how sure each exit is.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import ks_2samp

from offramp.measure import Evidence, exits_taken

from ._drift_test import DriftTest

DRAWS = 9999  # of the exit counts; the smallest p-value is one in ten thousand
DIGITS = 4  # of a score; another batch size or engine may change those behind them


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How different new samples look.

    Attributes:
        expected_rates: Share of the expected samples that leave at each exit.
        rates: Share of the new samples that leave there.
        expected_samples: How many were expected from.
        samples: How many new ones were counted.
        exits_p: How surprising a change of the exit rates as large as this is among samples of one kind.
        scores_p: How surprising a change as large as this is of the scores of each early exit.
        alpha: How rarely samples of one kind may be called different.
    """

    expected_rates: tuple[float, ...]
    rates: tuple[float, ...]
    expected_samples: int
    samples: int
    exits_p: float
    scores_p: tuple[float, ...]
    alpha: float

    @property
    def change(self) -> float:
        """The largest change of an exit rate, as a share of all samples."""
        return max(abs(new - old) for new, old in zip(self.rates, self.expected_rates, strict=True))

    @property
    def p_value(self) -> float:
        """The smallest of all p-values, times their number (Bonferroni)."""
        return min(1.0, (1 + len(self.scores_p)) * min(self.exits_p, *self.scores_p, 1.0))

    @property
    def found(self) -> bool:
        """Whether the new samples look different."""
        return self.p_value <= self.alpha


def find_shift(
    expected: Evidence,
    seen: Evidence,
    taken: NDArray[np.int64],
    *,
    thresholds: Sequence[float],
    score: str,
    test: DriftTest,
) -> Shift:
    """Compare new samples with the expected ones.

    Exit rates: the G-test of two sets of counts, its p-value from random divisions of all samples, so that it
    holds for exits that hardly anybody takes too. Scores: a Kolmogorov-Smirnov test per early exit.

    Args:
        expected: Evidence of the samples that the promise was proven on.
        seen: Evidence of new samples.
        taken: [S] the exit that each of the new samples took, also of those that `seen` leaves out.
        thresholds: One threshold per early exit.
        score: Name of the score that the gates compare.
        test: How sure to be, and the seed of the random divisions.

    Returns:
        Exit rates, p-values, and whether the new samples look different.

    Raises:
        EvidenceError: The evidence does not hold this score.
        ThresholdError: Not one threshold per early exit.

    Reference:
        Sokal and Rohlf, "Biometry", 1981, section 17.4 (G-test of independence). Rabanser, Guennemann, Lipton,
        "Failing loudly", NeurIPS 2019, section 3.2: one such test per output of a network, corrected by Bonferroni.
    """
    before = np.bincount(exits_taken(expected, thresholds, score), minlength=expected.exits)
    after = np.bincount(taken, minlength=expected.exits)
    pairs = zip(_ordered(expected, score).T, _ordered(seen, score).T, strict=True)
    return Shift(
        expected_rates=tuple((before / before.sum()).tolist()),
        rates=tuple((after / after.sum()).tolist()),
        expected_samples=int(before.sum()),
        samples=int(after.sum()),
        exits_p=_compare_counts(before, after, test.seed),
        scores_p=tuple(float(ks_2samp(old, new, method="asymp").pvalue) for old, new in pairs),
        alpha=test.alpha,
    )


def _compare_counts(before: NDArray[np.int64], after: NDArray[np.int64], seed: int) -> float:
    """P-value of the G-test: how many random divisions of all samples differ as much."""
    total = before + after
    random = np.random.default_rng(seed)
    drawn = random.multivariate_hypergeometric(total, after.sum(), size=DRAWS, method="marginals")
    differences = _difference(drawn, total)
    reached = np.count_nonzero(differences >= _difference(after[None], total) - 1e-9)  # equal tables, other rounding
    return float((1 + reached) / (1 + DRAWS))


def _difference(after: NDArray[np.int64], total: NDArray[np.int64]) -> NDArray[np.float64]:
    """G of each row of counts, but for what all divisions of these totals share."""
    difference: NDArray[np.float64] = (xlogy(after, after) + xlogy(total - after, total - after)).sum(axis=1)
    return difference


def _ordered(evidence: Evidence, score: str) -> NDArray[np.float32]:
    """[S, N] scores as far as they mean something; one that never stops is the least sure."""
    values, gate = evidence.scores[score], evidence.gates[score]
    least = np.float32(-np.inf if gate.direction == "higher" else np.inf)
    return np.where(np.isnan(values), least, np.round(values, DIGITS)).astype(np.float32)
