"""How close a conditional network comes to the time that its parts would take alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offramp.errors import OptionError

from ._latency import Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """What conditions cost: gates, gathering rows, small batches after the first exits.

    Attributes:
        value: Ideal by measured; 1 if conditions were free.
        ideal_s: Mean time per call if each sample ran just its own static network, in a full batch.
        measured_s: Mean time per call of the conditional network.
        empty_s: Time of a call of a network that does nothing, to compare with; None if not measured.
    """

    value: float
    ideal_s: float
    measured_s: float
    empty_s: float | None = None


def efficiency(
    shares: Sequence[float],
    static: Sequence[Latency],
    measured: Latency,
    *,
    empty: Latency | None = None,
) -> Efficiency:
    """Ideal time by measured time, all at the same batch size.

    The ideal is the sum over exits of `share_i x latency of the static file of exit i`: everything that a sample
    leaving there runs (stages and heads 0..i, no gates, no `If`), one call, fixed batch, tensors made beforehand.

    Args:
        shares: The share of the samples that leave at each exit, the final one included; they sum to 1.
        static: The latency of the static file of each exit.
        measured: The latency of the conditional network over the same mix of samples.
        empty: The latency of a network that does nothing.

    Returns:
        The efficiency, and the times that it is made of.

    Raises:
        OptionError: The numbers of shares and latencies differ, or the shares do not sum to 1.

    Example:
        >>> early, late = (Latency(mean_s=s, p50_s=s, p95_s=s, calls=9) for s in (0.001, 0.004))
        >>> measured = Latency(mean_s=0.003125, p50_s=0.001, p95_s=0.005, calls=9)
        >>> round(efficiency([0.5, 0.5], [early, late], measured).value, 3)
        0.8
    """
    if len(shares) != len(static):
        raise OptionError(
            f"every exit needs a share and a latency, but got {len(shares)} and {len(static)}. Give both."
        )
    if min(shares) < 0 or not np.isclose(sum(shares), 1.0, atol=1e-6):
        raise OptionError(f"shares must be positive and sum to 1, but sum to {sum(shares):g}. Count every sample once.")
    ideal = sum(share * one.mean_s for share, one in zip(shares, static, strict=True))
    return Efficiency(
        value=ideal / measured.mean_s,
        ideal_s=ideal,
        measured_s=measured.mean_s,
        empty_s=None if empty is None else empty.mean_s,
    )
