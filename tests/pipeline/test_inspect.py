from __future__ import annotations

from offramp.pipeline import Progress
from offramp.pipeline._inspect import inspect


def test_cut_points_are_found_from_python_too() -> None:
    events: list[Progress] = []
    found = inspect("zoo:lenet5", on_progress=events.append)
    assert found["cuts"][0]["name"] == "pool1"
    assert [event.step for event in events] == ["model zoo:lenet5"] * 2
