"""What the test samples say of a promise: how much they lost, and whether chance explains that it is more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROMISED = "The promise is about all samples to come like those that it was proven on, not about each set of them"


def describe_test(result: Mapping[str, Any]) -> list[str]:  # Any: JSON
    """A line about the loss on the test samples; none without a promise that was made.

    Args:
        result: As `result.json` holds it.

    Example:
        >>> promise = {"status": "certified", "max_loss": 0.01, "test_loss": 0.0106, "test_interval": [0.006, 0.017]}
        >>> describe_test({"guarantee": promise, "samples": {"test": 1000}})[0].partition("; ")[0]
        'test: 1.06 % lost of 1,000 samples, 95 % interval 0.60 to 1.70 %'
    """
    guarantee = result["guarantee"]
    if guarantee is None or guarantee["status"] != "certified":
        return []
    lost, interval = guarantee["test_loss"], guarantee.get("test_interval")  # older results have no interval
    line = f"test: {100 * lost:.2f} % lost of {result['samples']['test']:,} samples"
    if interval is None:
        return [line]
    low, high = interval
    line += f", 95 % interval {100 * low:.2f} to {100 * high:.2f} %"
    return [line + _judge(lost, low, guarantee["max_loss"])]


def explain_test(result: Mapping[str, Any]) -> list[str]:  # Any: JSON
    """What a loss on the test samples above the promise means, and what helps; nothing if it is not above."""
    guarantee = result["guarantee"]
    if guarantee is None or guarantee["status"] != "certified" or guarantee["test_loss"] <= guarantee["max_loss"]:
        return []
    interval = guarantee.get("test_interval")  # older results have none
    if interval is not None and interval[0] > guarantee["max_loss"]:
        return [
            f"{PROMISED}, but the test samples lost more than chance explains: look for what differs between the "
            "calibration and the test samples, as `offramp check` does."
        ]
    margin = "A larger `--margin`" if guarantee.get("margin") else "`--margin 0.2`"
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
