from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from commands import call


def test_both_systems_are_timed_at_each_batch_size(finished: Any) -> None:
    found = call("bench", finished.folder, "--batch", 1, "--batch", 7, "--json").json
    assert set(found["batches"]) == {"1", "7"}
    for row in found["batches"].values():
        assert row["ours"]["calls"] == row["nobody_leaves"]["calls"] > 0
        assert sum(row["exit_rates"]) == pytest.approx(1)


def test_the_samples_of_the_run_are_found_again(finished: Any) -> None:
    done = call("bench", finished.folder, "--batch", 64)
    assert done.code == 0
    assert "797 samples" in done.out


def test_a_folder_without_a_result_is_refused(tmp_path: Path) -> None:
    done = call("bench", tmp_path)
    assert done.code == 2
    assert "model.onnx" in done.err


def test_a_batch_of_nothing_is_refused(finished: Any) -> None:
    assert call("bench", finished.folder, "--batch", 0).code == 2
