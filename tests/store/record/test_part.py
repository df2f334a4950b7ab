from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from offramp.store.record import LatencyRecord, PointRecord, to_json

POINT: dict[str, Any] = {
    "thresholds": [0.5], "accuracy": None, "agreement": 1.0, "harm": None, "macs": 1.0, "relative_macs": 0.5,
    "exit_rates": [0.5, 0.5],
}  # fmt: skip


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_nobody_knows_is_null(value: float) -> None:
    assert json.loads(to_json(PointRecord.model_validate({**POINT, "harm": value})))["harm"] is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_must_be_known_is_finite(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        LatencyRecord(mean=value, p50=1.0, p95=1.0, calls=1)


def test_one_line_is_one_line() -> None:
    assert to_json(PointRecord.model_validate(POINT), indent=None).count("\n") == 0


def test_pydantic_is_not_loaded_by_the_root_or_the_help() -> None:
    code = """
import sys
import offramp.cli
try: offramp.cli.main()
except SystemExit: pass
print("pydantic" in sys.modules, file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"
