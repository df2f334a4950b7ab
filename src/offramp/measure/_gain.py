"""How sure a gain is: one that noise could have made is no gain.

Shape letters: T turns, K blocks of turns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from offramp.errors import OptionError

from ._latency import Latency

BLOCKS = 10
FEWEST = 5  # turns; fewer tell nothing of how they differ
STRONGEST = 0.9  # correlation of neighboring blocks that is believed


def gain_interval(baseline: Latency, ours: Latency, *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Limits between which the gain lies with this confidence, or None if there were too few turns to tell.

    Both systems took turns over the same batches, so what slows the machine down slows both, and the ratio minds it
    little. What is left are differences per turn from what the ratio expects: their sums over K contiguous blocks are
    nearly independent even if neighboring turns are not, and if neighboring blocks still resemble each other, that
    widens the interval too. It speaks of this measurement on this machine: another process, another day or another
    machine may differ by more.

    Args:
        baseline: Timed in one call of `latency` with `ours`.
        ours: As `baseline`.
        confidence: Probability with which the interval holds the gain.

    Returns:
        The lower and the upper limit of the gain.

    Raises:
        OptionError: They were not timed side by side, or `confidence` is not between 0 and 1.

    Example:
        >>> slow = Latency(mean_s=2.0, p50_s=2.0, p95_s=2.0, calls=6, turns=(2.0, 2.2, 1.9, 4.0, 2.1, 2.0))
        >>> fast = Latency(mean_s=1.0, p50_s=1.0, p95_s=1.0, calls=6, turns=(1.0, 1.1, 1.0, 2.1, 1.0, 1.0))
        >>> [round(limit, 2) for limit in gain_interval(slow, fast)]
        [1.89, 2.05]

    Reference:
        Law and Kelton, "Simulation modeling and analysis", 1991, section 9.5.3 (batch means); Cochran, "Sampling
        techniques", 1977, section 6.4 (variance of a ratio).
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, but is {confidence}. For 95 percent give 0.95.")
    if len(baseline.turns) != len(ours.turns):
        raise OptionError(
            f"both systems must take turns, but took {len(baseline.turns)} and {len(ours.turns)}. "
            "Time them in one call of latency."
        )
    if len(ours.turns) < FEWEST:
        return None
    slow, fast = _blocks(baseline.turns), _blocks(ours.turns)
    ratio = slow.sum() / fast.sum()
    apart = slow - ratio * fast
    spread = np.sqrt(_variance(apart) / len(apart)) / fast.mean()
    half = float(t.ppf((1 + confidence) / 2, len(apart) - 1) * spread)
    return max(0.0, float(ratio) - half), float(ratio) + half


def _blocks(turns: tuple[float, ...]) -> NDArray[np.float64]:
    """[K] seconds of contiguous blocks of about equally many turns."""
    count = min(BLOCKS, len(turns))
    starts = np.linspace(0, len(turns), count + 1).round().astype(int)[:-1]
    return np.asarray(np.add.reduceat(np.asarray(turns), starts), np.float64)


def _variance(apart: NDArray[np.float64]) -> float:
    """Of one block, as if blocks were independent; more if neighbors resemble each other."""
    total = float((apart**2).sum())
    if total == 0:
        return 0.0
    alike = min(STRONGEST, max(0.0, float((apart[1:] * apart[:-1]).sum()) / total))
    return total / (len(apart) - 1) * (1 + alike) / (1 - alike)
