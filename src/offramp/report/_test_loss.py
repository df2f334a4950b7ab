"""What the test samples say of a promise: how much they lost, and whether chance explains that it is more."""

from __future__ import annotations

from offramp.store.record import GuaranteeRecord, RunRecord, SweepRecord

PROMISED = "The promise is about all samples to come like those that it was proven on, not about each set of them"


def describe_test(result: RunRecord | SweepRecord) -> list[str]:
    """A line about the loss on the test samples; none without a promise that was made.

    Args:
        result: Of a run or a sweep.
    """
    guarantee = result.guarantee
    if guarantee is None or guarantee.status != "certified" or guarantee.test_loss is None:
        return []
    lost, interval = guarantee.test_loss, guarantee.test_interval
    line = f"test: {100 * lost:.2f} % lost of {result.samples.test:,} samples"
    if interval is None:  # older results have none
        return [line]
    low, high = interval
    line += f", 95 % interval {100 * low:.2f} to {100 * high:.2f} %"
    return [line + _judge(lost, low, guarantee.max_loss)]


def explain_test(guarantee: GuaranteeRecord | None) -> list[str]:
    """What a loss on the test samples above the promise means, and what helps; nothing if it is not above."""
    if guarantee is None or guarantee.status != "certified" or (guarantee.test_loss or 0.0) <= guarantee.max_loss:
        return []
    interval = guarantee.test_interval
    if interval is not None and interval[0] > guarantee.max_loss:
        return [
            f"{PROMISED}, but the test samples lost more than chance explains: look for what differs between the "
            "calibration and the test samples, as `offramp check` does."
        ]
    margin = "A larger `--margin`" if guarantee.margin else "`--margin 0.2`"
    return [
        f"{PROMISED}: those at hand may lose more by chance, as the test samples did. {margin} chooses and proves the "
        "point for less than is promised, which makes that rarer."
    ]


def _judge(lost: float, low: float, max_loss: float) -> str:
    """How the loss compares with the promise; nothing if it is within."""
    if lost <= max_loss:
        return ""
    how = "no more" if low <= max_loss else "more"
    return f"; that is above {100 * max_loss:.1f} % by {how} than chance explains"
