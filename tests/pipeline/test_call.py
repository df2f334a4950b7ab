from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import offramp
from offramp.errors import DataError


def test_a_run_is_opened_again_by_its_folder(finished: Any) -> None:
    run = offramp.load(str(finished.folder))
    assert isinstance(run, offramp.Run)
    assert run.record.seed == 0


def test_a_folder_that_holds_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold model\.onnx, result\.json, evidence\.npz"):
        offramp.load(tmp_path)


def test_the_root_has_the_calls_and_what_they_take() -> None:
    assert {"optimize", "load", "Run", "Target", "Exits", "Training", "Engine", "Graph"} <= {*dir(offramp)}
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        _ = offramp.optimise
