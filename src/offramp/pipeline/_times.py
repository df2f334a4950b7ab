"""Measured times, each kept with the point that it belongs to: thresholds, and who left where with them.

`result["times"]` holds all that were measured, the newest last; what `chosen` and `baseline` show are those of the
chosen point alone, or none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TIMES = (  # of a point
    "latency_s", "gain", "gain_interval", "gain_to_float", "gain_to_float_interval", "efficiency", "ideal_latency_s",
    "empty_latency_s",
)  # fmt: skip
ALONE = ("latency_s", "float_latency_s", "float_gain", "float_gain_interval")  # of the network, timed beside it
POINT = ("thresholds", "exit_rates", "relative_macs")
MADE_BY = ("command", "machine", "versions", "engine", "precision", "threads")

Result = Mapping[str, Any]  # Any: JSON, as `result.json` holds it
Times = dict[str, Any]  # Any: JSON


def known_times(result: Result) -> list[Times]:
    """All times of a result; an older one holds at most those of its chosen point, measured when it was made."""
    if "times" in result:
        return list(result["times"])
    if not result["chosen"].get("latency_s"):
        return []
    made = {name: result[name] for name in MADE_BY if name in result}
    return [mark_times(result, made, chosen=result["chosen"], baseline=result["baseline"])]


def mark_times(
    result: Result, made: Mapping[str, Any], *, chosen: Mapping[str, Any], baseline: Mapping[str, Any]
) -> Times:
    """Times with the chosen point that they were measured at.

    Args:
        result: Whose point it is.
        made: By which command, where and with what.
        chosen: Holds times of the network with exits.
        baseline: Holds times of the network alone.
    """
    return {
        **{name: result["chosen"][name] for name in POINT},
        "samples": _samples_of(result),
        **made,
        "chosen": {name: chosen[name] for name in TIMES if chosen.get(name)},
        "baseline": {name: baseline[name] for name in ALONE if baseline.get(name)},
    }


def show_times(result: Result, times: Sequence[Times]) -> dict[str, Any]:  # Any: JSON
    """The result with these times, of which it shows the newest that belong to its point; or none.

    Times of the network alone depend on no threshold: without others the last ones stay, to compare with by eye.
    """
    own = find_times(result, times)
    last = own or (times[-1] if times else None)
    return {
        **result,
        "times": list(times),
        "chosen": {**result["chosen"], **{name: {} for name in TIMES}, **(own["chosen"] if own else {})},
        "baseline": {**result["baseline"], **({name: {} for name in ALONE} | last["baseline"] if last else {})},
    }


def find_times(result: Result, times: Sequence[Times]) -> Times | None:
    """The newest times of the chosen point."""
    point = {**result["chosen"], "samples": _samples_of(result)}
    return next((one for one in reversed(times) if _same(one, point)), None)


def add_times(times: Sequence[Times], newest: Times) -> list[Times]:
    """With the newest in the place of others of the same point."""
    return [*(one for one in times if not _same(one, newest)), newest]


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:  # Any: JSON
    return all(one[name] == other[name] for name in ("thresholds", "exit_rates", "samples"))


def _samples_of(result: Result) -> str:
    """The reference of the samples that decide who leaves where: other ones are another point."""
    options = result["options"]
    return str(options["held_out"] or options["data"])
