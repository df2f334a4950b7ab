from __future__ import annotations

from typing import Any

import pytest

from offramp.report import describe_promise, describe_test, explain_test
from records import as_run


@pytest.mark.parametrize(
    ("lost", "interval", "ending"),
    [
        (0.0088, [0.005, 0.015], "95 % interval 0.50 to 1.50 %"),
        (0.0106, [0.006, 0.017], "that is above 1.0 % by no more than chance explains"),
        (0.01, [0.006, 0.017], "95 % interval 0.60 to 1.70 %"),
        (0.02, [0.0101, 0.03], "that is above 1.0 % by more than chance explains"),
        (-0.002, [-0.01, 0.006], "95 % interval -1.00 to 0.60 %"),
    ],
)
def test_the_loss_of_the_test_samples_is_judged_by_its_interval(
    result: dict[str, Any], lost: float, interval: list[float], ending: str
) -> None:
    result["guarantee"] |= {"test_loss": lost, "test_interval": interval}
    (line,) = describe_test(as_run(result))
    assert line.startswith(f"test: {100 * lost:.2f} % lost of 60 samples")
    assert line.endswith(ending)
    assert bool(explain_test(as_run(result).guarantee)) == (lost > 0.01)


def test_an_older_result_tells_its_loss_without_an_interval(result: dict[str, Any]) -> None:
    for name in ("test_interval", "margin"):
        del result["guarantee"][name]
    assert describe_test(as_run(result)) == ["test: 0.88 % lost of 60 samples"]
    assert "proven for" not in describe_promise(as_run(result))


@pytest.mark.parametrize("changes", [None, {"status": "refused", "remedy": "give more samples", "test_loss": 0.5}])
def test_where_nothing_is_promised_nothing_is_compared(result: dict[str, Any], changes: dict[str, Any] | None) -> None:
    result["guarantee"] = changes and {**result["guarantee"], **changes}
    record = as_run(result)
    assert describe_test(record) == explain_test(record.guarantee) == []


def test_a_margin_stands_beside_the_promise(result: dict[str, Any]) -> None:
    result["guarantee"]["margin"] = 0.2
    assert describe_promise(as_run(result)).endswith("(3,493 calibration samples, OpenVINO f32, proven for 0.8 %)")
    assert "at most 1.0 % of answers change" in describe_promise(as_run(result))
