from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from offramp.errors import MissingExtra
from offramp.report import to_frame
from offramp.report._frame import frame_rows
from records import make_record, make_result


def test_rows_hold_numbers() -> None:
    alone, ours = frame_rows(make_record())
    assert (alone["time_s"], ours["time_s"], ours["gain"]) == (0.002, 0.0008, 2.5)
    assert ours["thresholds"] == (0.875, 0.5)
    assert alone.keys() == ours.keys()


def test_what_was_not_measured_is_missing() -> None:
    _, ours = frame_rows(make_record(chosen={**make_result()["chosen"], "latency_s": {}, "gain": {}}))
    assert ours["time_s"] is ours["gain"] is None


def test_the_frame_is_made_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame:
        """What pandas would make, as far as it is asked for."""

        def __init__(self, rows: list[dict[str, Any]]) -> None:
            self.rows = rows

        def set_index(self, name: str) -> dict[str, dict[str, Any]]:
            return {row[name]: row for row in self.rows}

    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=Frame))
    assert list(to_frame(make_record())) == ["alone", "with exits"]


def test_without_pandas_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pip install pandas"):
        to_frame(make_record())
