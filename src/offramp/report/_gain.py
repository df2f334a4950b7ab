"""Gains in words: what an interval allows to say, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from offramp.store.record import PointTimes

GainName = Literal["gain", "gain_to_float"]
Judgment = Literal["faster", "slower", "no difference", "unknown"]


def judge_gain(interval: Sequence[float] | None) -> Judgment:
    """What the 95 % interval of a gain allows to say; unknown if there is none.

    Example:
        >>> judge_gain((1.18, 1.31)), judge_gain((0.97, 1.2)), judge_gain((0.7, 0.9)), judge_gain(None)
        ('faster', 'no difference', 'slower', 'unknown')
    """
    if interval is None:
        return "unknown"
    low, high = interval
    return "faster" if low > 1 else "slower" if high < 1 else "no difference"


def describe_gain(gain: float, interval: Sequence[float] | None = None) -> str:
    """A gain with its interval.

    Example:
        >>> describe_gain(1.24, (1.18, 1.31)), describe_gain(1.24)
        ('1.24x [1.18, 1.31]', '1.24x')
    """
    return f"{gain:.2f}x" + ("" if interval is None else " [{:.2f}, {:.2f}]".format(*interval))


def describe_gains(times: PointTimes, name: GainName = "gain", *, only: Judgment | None = None) -> str:
    """The gains of a point at all its batch sizes, or at those of which one thing may be said.

    Args:
        times: Of a point.
        name: Which gain: over the network alone in the precision of the file, or in f32.
        only: What must be said of them.

    Example:
        >>> times = PointTimes(gain={1: 2.0, 64: 1.0}, gain_interval={1: (1.9, 2.1), 64: (0.9, 1.1)})
        >>> describe_gains(times), describe_gains(times, only="faster")
        ('2.00x [1.90, 2.10] at batch 1 and 1.00x [0.90, 1.10] at batch 64', '2.00x [1.90, 2.10] at batch 1')
    """
    told = [
        f"{describe_gain(gain, interval)} at batch {batch}"
        for batch, gain in gains_of(times, name).items()
        for interval in (find_interval(times, batch, name),)
        if only in (None, judge_gain(interval))
    ]
    return " and ".join(told)


def gains_of(times: PointTimes, name: GainName = "gain") -> Mapping[int, float]:
    """Samples per call -> the gain of this name."""
    return times.gain if name == "gain" else times.gain_to_float


def find_interval(times: PointTimes, batch: int, name: GainName = "gain") -> tuple[float, float] | None:
    """The interval of a gain at a batch size; older results have none, nor have measurements of a few calls."""
    return (times.gain_interval if name == "gain" else times.gain_to_float_interval).get(batch)
