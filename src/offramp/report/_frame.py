"""The table of a run as a data frame, where pandas is installed; offramp does not need it."""

from __future__ import annotations

import importlib
from typing import Any

from offramp.errors import MissingExtra
from offramp.store.record import Latencies, PointTimes, RunRecord

Row = dict[str, object]


def to_frame(result: RunRecord) -> Any:  # Any: a pandas.DataFrame
    """The rows of the table with numbers instead of texts, indexed by name.

    Args:
        result: Of a run.

    Returns:
        A pandas data frame; what is not known is missing.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise MissingExtra("a data frame needs pandas, but it is not installed. Run: pip install pandas") from error
    return pandas.DataFrame(frame_rows(result)).set_index("network")


def frame_rows(result: RunRecord) -> list[Row]:
    """The network alone, and with its exits; times are seconds at batch 1."""
    baseline, chosen = result.baseline, result.chosen
    alone: Row = {
        "network": "alone",
        "accuracy": baseline.accuracy,
        "agreement": 1.0,
        "time_s": _mean(baseline.float_latency_s or baseline.latency_s),
        "gain": 1.0,
        "relative_macs": 1.0,
        "thresholds": (),
        "exit_rates": (1.0,),
    }
    ours: Row = {
        "network": "with exits",
        "accuracy": chosen.accuracy,
        "agreement": chosen.agreement,
        "time_s": _mean(chosen.latency_s),
        "gain": _gain(chosen),
        "relative_macs": chosen.relative_macs,
        "thresholds": chosen.thresholds,
        "exit_rates": chosen.exit_rates,
    }
    return [alone, ours]


def _mean(times: Latencies) -> float | None:
    return times[1].mean if 1 in times else None


def _gain(chosen: PointTimes) -> float | None:
    return (chosen.gain_to_float or chosen.gain).get(1)
