from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from folders import contents
from offramp.pipeline._apply import apply_times, change_folder, replace_result
from offramp.pipeline._opened import open_run
from offramp.pipeline._screen import Screen


@pytest.fixture
def folder(finished: Any, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished.folder, tmp_path / "out"))


def test_what_fails_leaves_the_folder_as_it_was(folder: Path) -> None:
    before = contents(folder)

    def change(whole: Path) -> None:
        (whole / "result.json").unlink()
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        change_folder(folder, change)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_another_folder_is_written_and_the_first_stays(folder: Path, tmp_path: Path) -> None:
    before = contents(folder)
    change_folder(folder, lambda whole: (whole / "README.md").unlink(), to=tmp_path / "deep" / "other")
    assert contents(folder) == before
    assert contents(tmp_path / "deep" / "other") == {name: text for name, text in before.items() if name != "README.md"}


def test_a_record_that_is_written_is_the_one_that_is_read(folder: Path) -> None:
    opened = open_run(folder)
    replace_result(folder, opened.record.model_copy(update={"seed": 7}))
    assert open_run(folder).record.seed == 7
    assert "seed 7" in (folder / "README.md").read_text()


def test_times_are_written_to_all_files_that_tell_them(folder: Path) -> None:
    opened = open_run(folder)
    apply_times(opened, opened.record.model_copy(update={"verdict": ("It is <fast>.",)}), Screen())
    assert open_run(folder).record.verdict == ("It is <fast>.",)
    assert "It is <fast>." in (folder / "README.md").read_text()
    assert "It is &lt;fast&gt;." in (folder / "report.html").read_text()
