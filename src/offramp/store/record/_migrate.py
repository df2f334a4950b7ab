"""Records that were written before they had a version number: what they do not say, in today's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

SCHEMA: Final[Literal[1]] = 1  # of the records that are written
POINT = ("thresholds", "exit_rates", "relative_macs")
MADE = ("command", "machine", "versions", "engine", "precision", "threads")
TIMES = (
    "latency_s", "gain", "gain_interval", "gain_to_float", "gain_to_float_interval", "efficiency", "ideal_latency_s",
    "empty_latency_s",
)  # fmt: skip
ALONE = ("latency_s", "float_latency_s", "float_gain_interval")
FORGOTTEN = "float_gain"  # of the baseline: the quotient of two numbers that are there

Json = dict[str, Any]  # Any: JSON


def migrate(old: Json) -> Json:
    """A record without a number in the form of version 1; what is wrong with it is left for the reader to find.

    Args:
        old: As the file holds it; it stays as it is.

    Returns:
        Another record; names that it lacks and whose meaning is plain are added.
    """
    if old.get("schema", 0) != 0:
        return old
    new = {**old, "schema": SCHEMA, "precisions": old.get("precisions"), "clock": old.get("clock")}
    new["placement"] = _placement(old)
    new["baseline"] = _without(old.get("baseline"))
    new["times"] = [_times(old, one) for one in _known_times(old)]
    return {name: value for name, value in new.items() if name in old or value is not None or name in ADDED}


ADDED = ("precisions", "clock", "placement")  # which a record of version 1 must have, even if they are null


def _placement(old: Json) -> Json | None:
    """The exits with the point that they were chosen for: the first one, if no other was written since."""
    found = old.get("placement")
    if not isinstance(found, dict) or "thresholds" in found or {"applied", "recalibrated"} & old.keys():
        return found
    return {**found, "thresholds": _of(old, "chosen").get("thresholds")}


def _known_times(old: Json) -> list[Any]:  # Any: JSON
    """All times; the oldest records hold at most those of their chosen point, measured when the run was made."""
    if "times" in old:
        return list(old["times"])
    if not _of(old, "chosen").get("latency_s"):
        return []
    point = {name: _of(old, "chosen").get(name) for name in POINT}
    made = {name: old.get(name) for name in MADE}
    return [{**point, **made, "chosen": old["chosen"], "baseline": old.get("baseline")}]


def _times(old: Json, one: Any) -> Any:  # Any: JSON
    if not isinstance(one, dict):
        return one
    options = _of(old, "options")
    samples = options.get("held_out") or options.get("data")
    chosen, alone = _of(one, "chosen"), _of(one, "baseline")
    return {
        "samples": samples,
        **one,
        "chosen": {name: chosen[name] for name in TIMES if chosen.get(name)},
        "baseline": {name: alone[name] for name in ALONE if alone.get(name)},
    }


def _without(baseline: Any) -> Any:  # Any: JSON
    if not isinstance(baseline, dict):
        return baseline
    return {name: value for name, value in baseline.items() if name != FORGOTTEN}


def _of(record: Mapping[str, Any], name: str) -> Json:
    """A part of a record; empty if it is none."""
    found = record.get(name)
    return found if isinstance(found, dict) else {}
