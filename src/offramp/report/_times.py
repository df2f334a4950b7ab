"""Times that were measured at another point than the chosen one, said to be so."""

from __future__ import annotations

from offramp.store.record import RunRecord, TimesRecord

from ._gain import describe_gain, find_interval

SHOWN = 2  # the newest


def former_times(result: RunRecord) -> list[str]:
    """A line for each of the last points that were timed and are not the chosen one; none if that has times.

    Args:
        result: Of a run.
    """
    if result.chosen.latency_s:
        return []
    return [_describe(one) for one in result.times[-SHOWN:]]


def _describe(times: TimesRecord) -> str:
    """What was measured, at which point, and by which command."""
    at, chosen = " ".join(f"{value:.4g}" for value in times.thresholds) or "none", times.chosen
    told = [
        f"{1000 * one.mean:.3f} ms, {describe_gain(chosen.gain[batch], find_interval(chosen, batch))}, at batch {batch}"
        for batch, one in chosen.latency_s.items()
    ]
    return (
        f"timed before, at another point (T {at}, {times.relative_macs:.3f} of the work): {' and '.join(told)}; "
        f"by `{times.command}`"
    )
