from __future__ import annotations

from pathlib import Path

import pytest

from offramp.cli._folder import WorkFolder, check_out, open_folder
from offramp.errors import OptionError, OutputError


def opened(out: Path, seed: int = 0, *, resume: bool = False) -> WorkFolder:
    return open_folder(out, {"seed": seed}, resume=resume)


def test_the_result_appears_whole_and_replaces_an_earlier_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "result.json").write_text("old")
    work = opened(out)
    (work.whole / "result.json").write_text("new")
    assert (out / "result.json").read_text() == "old"
    work.finish()
    assert (out / "result.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_new_run_forgets_what_a_killed_one_left(tmp_path: Path) -> None:
    opened(tmp_path / "out").checkpoint.write_text("trained")
    assert not opened(tmp_path / "out").checkpoint.exists()


def test_a_resumed_run_keeps_the_training(tmp_path: Path) -> None:
    opened(tmp_path / "out").checkpoint.write_text("trained")
    assert opened(tmp_path / "out", resume=True).checkpoint.read_text() == "trained"


def test_resuming_without_a_killed_run_starts_anew(tmp_path: Path) -> None:
    assert opened(tmp_path / "out", resume=True).whole.is_dir()


def test_resuming_with_other_options_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "out", seed=0)
    with pytest.raises(OptionError, match="--seed differ"):
        opened(tmp_path / "out", seed=1, resume=True)


def test_an_abandoned_run_leaves_nothing_but_a_training(tmp_path: Path) -> None:
    work = opened(tmp_path / "out")
    assert not work.abandon()
    assert list(tmp_path.iterdir()) == []
    work = opened(tmp_path / "out")
    work.checkpoint.write_text("trained")
    assert work.abandon()
    assert work.checkpoint.exists()


@pytest.mark.parametrize("place", ["file", "full"])
def test_what_is_not_ours_is_never_replaced(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    with pytest.raises(OutputError, match="--out"):
        check_out(tmp_path / place)


def test_a_place_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="writable"):
        opened(tmp_path / "file" / "out")
