from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from offramp.report import print_times
from offramp.store.record import BenchRecord
from records import make_result

TIME = {"mean": 0.002, "p50": 0.001, "p95": 0.004, "calls": 20}


def printed(row: dict[str, Any], **changes: Any) -> str:
    """What is printed of a bench at batch 1 with these entries."""
    made = make_result()
    known = {name: made[name] for name in ("command", "machine", "versions", "engine", "precision", "threads")}
    batch = {"ours": TIME, "nobody_leaves": {**TIME, "mean": 0.004}, "exit_rates": [0.5, 0.5], **row}
    found = {**known, "folder": "out", "samples": 1797, "batches": {"1": batch}, **changes}
    target = io.StringIO()
    print_times(BenchRecord.model_validate(found), Console(file=target, width=140, color_system=None, highlight=False))
    return target.getvalue()


def test_ratios_stand_with_their_intervals() -> None:
    text = printed({"alone": TIME, "gain": 1.0, "gain_interval": [0.9, 1.1], "ratio": 2.0, "ratio_interval": None})
    assert text.splitlines()[1].split() == [
        "1", "2.000", "1.000", "4.000", "2.000", "1.00x", "[0.90,", "1.10]", "4.000", "2.00x", "50", "50",
    ]  # fmt: skip


def test_what_was_not_timed_is_a_dash() -> None:
    assert printed({}).splitlines()[1].split()[4:6] == ["-", "-"]


@pytest.mark.parametrize(
    ("row", "changes", "words"),
    [
        ({}, {}, "openvino f32, 1 thread, 1,797 samples, Test CPU; ratios with 95 % intervals: one that holds 1"),
        ({}, {"threads": 3, "applied": True}, "3 threads"),
        ({}, {"applied": True}, "; written to the folder"),
        ({}, {"precision": "int8"}, "the file holds the network in 8 bits only, so that in f32 it is not timed"),
        (
            {"floating": TIME, "gain_to_float": 3.0, "gain_to_float_interval": [2.5, 3.5]},
            {"precision": "bf16"},
            "the network alone in f32 takes 2.000 ms at batch 1: gain 3.00x [2.50, 3.50]",
        ),
    ],
)
def test_below_stands_how_it_was_measured(row: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    assert words in printed(row, **changes)
