from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from folders import read
from offramp.errors import DataError
from offramp.measure import Evidence
from offramp.pipeline._opened import check_exits, open_run


@pytest.fixture
def folder(finished: Any, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished.folder, tmp_path / "out"))


def rewrite(folder: Path, **changes: Any) -> None:
    """Another record in the folder."""
    (folder / "result.json").write_text(json.dumps({**read(folder), **changes}))


@pytest.mark.parametrize("name", ["model.onnx", "result.json", "evidence.npz"])
def test_a_folder_that_lacks_a_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=name):
        open_run(folder)


def test_a_result_of_an_older_version_is_refused(folder: Path) -> None:
    result = read(folder, "result.json")
    del result["exit_macs"]
    (folder / "result.json").write_text(json.dumps(result))
    with pytest.raises(DataError, match="exit_macs"):
        open_run(folder)


def test_evidence_of_another_run_is_refused(folder: Path) -> None:
    Evidence.load(folder / "evidence.npz").subset(slice(50)).save(folder / "evidence.npz")
    with pytest.raises(DataError, match="holds 50"):
        open_run(folder)


def test_a_record_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "result.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"result\.json must be written by this version"):
        open_run(folder)


@pytest.mark.parametrize("exit_macs", [[5.0, 1.0], [], [-1.0, 2.0]])
def test_costs_that_cannot_be_are_refused(folder: Path, exit_macs: list[float]) -> None:
    rewrite(folder, exit_macs=exit_macs)
    with pytest.raises(DataError, match=r"result\.json must be written by this version"):
        open_run(folder)


def test_parts_are_as_large_as_the_record_says(finished: Any) -> None:
    opened = open_run(finished.folder)
    counts = {name: len(seen) for name, seen in opened.parts.items()}
    assert counts == {name: finished.result["samples"][name] for name in ("tune", "calibrate", "test")}


def test_goal_and_search_are_those_of_the_record(finished: Any) -> None:
    opened = open_run(finished.folder)
    assert opened.goal.max_loss == finished.result["goal"]["max_loss"] == 0.05
    assert opened.search.name == "frontier"
    assert opened.clock is None


def test_a_clock_is_in_seconds_by_exit(folder: Path) -> None:
    rewrite(folder, clock={"exit_s": [0.5, 1.0], "baseline_s": 1.0})
    clock = open_run(folder).clock
    assert clock is not None
    assert clock.relative.tolist() == [0.5, 1.0]


def test_a_run_without_exits_is_not_looked_after(folder: Path) -> None:
    rewrite(folder, chosen={**read(folder)["chosen"], "thresholds": []})
    with pytest.raises(DataError, match="no exit paid"):
        check_exits(open_run(folder))
