from __future__ import annotations

from pathlib import Path

import pytest

from offramp.cli._folder import WorkFolder, check_out, copy_folder, open_folder, replace_text
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


def test_a_copy_changes_nothing_until_it_is_finished(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "result.json").write_text("old")
    (out / "notes").mkdir()
    (out / "notes" / "mine").write_text("mine")
    work = copy_folder(out)
    replace_text(work.whole / "result.json", "new")
    assert (out / "result.json").read_text() == "old"
    work.finish()
    assert (out / "result.json").read_text() == "new"
    assert (out / "notes" / "mine").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_copy_leaves_a_killed_training_alone(tmp_path: Path) -> None:
    opened(tmp_path / "out").checkpoint.write_text("trained")
    (tmp_path / "out").mkdir()
    copy_folder(tmp_path / "out").abandon()
    assert opened(tmp_path / "out", resume=True).checkpoint.read_text() == "trained"


def test_a_copy_for_another_place_shares_no_file(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("old")
    work = copy_folder(tmp_path / "out", tmp_path / "deep" / "other")
    (work.whole / "result.json").write_text("new")  # not replaced
    work.finish()
    assert (tmp_path / "out" / "result.json").read_text() == "old"
    assert (tmp_path / "deep" / "other" / "result.json").read_text() == "new"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["other"]


def test_files_are_copied_where_they_cannot_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("old")
    assert (copy_folder(tmp_path / "out").whole / "result.json").read_text() == "old"


def test_a_result_that_cannot_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "result.json").write_text("old")
    work = copy_folder(out)
    (work.whole / "result.json").unlink()
    (work.whole).rmdir()
    with pytest.raises(OutputError, match="writable"):
        work.finish()
    assert (out / "result.json").read_text() == "old"


def test_a_text_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="writable"):
        replace_text(tmp_path / "missing" / "file", "new")
