from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offramp.errors import OptionError, OutputError
from offramp.store._folder import (
    WorkFolder,
    check_out,
    copy_folder,
    open_folder,
    repair,
    replace_bytes,
    replace_text,
    reserve,
)


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


def test_a_fresh_run_forgets_what_a_killed_one_left(tmp_path: Path) -> None:
    opened(tmp_path / "out").checkpoint.write_text("trained")
    assert not open_folder(tmp_path / "out", {"seed": 0}, fresh=True).checkpoint.exists()


def test_heads_that_a_killed_run_trained_are_never_thrown_away_without_a_word(tmp_path: Path) -> None:
    kept = opened(tmp_path / "out").checkpoint
    kept.write_text("trained")
    with pytest.raises(OptionError, match=r"resume=True .*fresh=True"):
        opened(tmp_path / "out")
    assert kept.read_text() == "trained"


def test_a_killed_run_that_trained_nothing_is_in_nobodys_way(tmp_path: Path) -> None:
    (opened(tmp_path / "out", seed=1).path / "dense.onnx").write_text("scratch")
    assert not (opened(tmp_path / "out").path / "dense.onnx").exists()


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_killed_run_that_does_not_say_what_it_was_asked_is_no_traceback(text: str, tmp_path: Path) -> None:
    work = opened(tmp_path / "out")
    work.request.write_text(text)
    with pytest.raises(OptionError, match="fresh=True"):
        opened(tmp_path / "out", resume=True)


def test_a_resumed_run_keeps_the_training(tmp_path: Path) -> None:
    opened(tmp_path / "out").checkpoint.write_text("trained")
    assert opened(tmp_path / "out", resume=True).checkpoint.read_text() == "trained"


def test_resuming_without_a_killed_run_starts_anew(tmp_path: Path) -> None:
    assert opened(tmp_path / "out", resume=True).whole.is_dir()


def test_resuming_with_other_options_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "out", seed=0)
    with pytest.raises(OptionError, match="seed differ"):
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
    with pytest.raises(OutputError, match="out must be"):
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


class Disk:
    """Lets what changes names fail at one step, before or after it is done; a dead process does nothing more."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, error: BaseException, *, done: bool, dead: bool) -> None:
        self.steps, self._at, self._error, self._done, self._dead = 0, at, error, done, dead
        for owner, name in (
            (Path, "rename"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"),
            (shutil, "rmtree"), (shutil, "copytree"),
        ):  # fmt: skip
            patch.setattr(owner, name, self._watched(getattr(owner, name)))

    def _watched(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.steps += 1
            here = self.steps == self._at
            if (self._dead and self.steps > self._at) or (here and not self._done):
                raise self._error
            found = change(*arguments, **options)
            if here:
                raise self._error
            return found

        return call


def write_old(out: Path) -> None:
    out.mkdir()
    (out / "result.json").write_text("old")
    (out / "model.onnx").write_text("old")


def change_folder(out: Path) -> None:
    """As `sweep --apply` and `recalibrate` do."""
    work = copy_folder(out)
    try:
        replace_text(work.whole / "result.json", "new")
        replace_text(work.whole / "model.onnx", "new")
        work.finish()
    finally:
        work.abandon()


def write_folder(out: Path) -> None:
    """As `optimize` does."""
    work = open_folder(out, {"seed": 0})
    try:
        work.checkpoint.write_text("trained")
        replace_text(work.whole / "result.json", "new")
        replace_text(work.whole / "model.onnx", "new")
        work.finish()
    finally:
        work.abandon()


def stopped_at(patch: pytest.MonkeyPatch, at: int, *, how: str, done: bool, run: Callable[[], None]) -> bool:
    """Run something that is stopped at a step; gives whether it came to that."""
    error = OSError(5, "broken disk") if how == "error" else KeyboardInterrupt()
    with patch.context() as inside:
        disk = Disk(inside, at, error, done=done, dead=how == "kill")
        try:
            run()
        except (OutputError, OSError, KeyboardInterrupt):
            return True
    return disk.steps >= at


@pytest.mark.parametrize("write", [change_folder, write_folder])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("how", ["error", "interrupt", "kill"])
@pytest.mark.parametrize("at", range(1, 15))
def test_whatever_stops_at_whatever_step_the_old_result_or_the_new_one_is_there_whole(
    write: Callable[[Path], None], at: int, how: str, done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_old(out)
    stopped_at(monkeypatch, at, how=how, done=done, run=lambda: write(out))
    repair(out)
    found = {path.name: path.read_text() for path in out.iterdir()}
    assert found in ({"result.json": kind, "model.onnx": kind} for kind in ("old", "new"))


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("how", ["error", "interrupt", "kill"])
@pytest.mark.parametrize("at", range(1, 15))
def test_after_whatever_stopped_the_next_command_does_its_work(
    at: int, how: str, done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_old(out)
    stopped_at(monkeypatch, at, how=how, done=done, run=lambda: change_folder(out))
    with reserve(out):
        change_folder(out)
    assert (out / "result.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_steps_at_which_it_is_stopped_are_all_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_old(tmp_path / "out")
    assert not stopped_at(monkeypatch, 14, how="error", done=True, run=lambda: change_folder(tmp_path / "out")), (
        "add steps to the tests above"
    )


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("how", ["error", "interrupt", "kill"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_file_is_the_old_or_the_new_one_whatever_stops(
    at: int, how: str, done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    stopped_at(monkeypatch, at, how=how, done=done, run=lambda: replace_bytes(tmp_path / "file", b"new"))
    assert (tmp_path / "file").read_bytes() in (b"old", b"new")


def test_an_interrupted_file_leaves_no_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")
    stopped_at(monkeypatch, 1, how="interrupt", done=False, run=lambda: replace_bytes(tmp_path / "file", b"new"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_result_that_another_command_is_putting_in_place_is_left_to_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_old(out)
    with reserve(out):
        work = copy_folder(out)
        out.rename(work.old)
        repair(out)
        assert not out.exists()
        work.finish()
    assert (out / "result.json").read_text() == "old"


def test_a_training_survives_an_interrupt_between_the_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_old(tmp_path / "out")
    work = opened(tmp_path / "out")
    work.checkpoint.write_text("trained")
    with monkeypatch.context() as inside:
        Disk(inside, 1, KeyboardInterrupt(), done=True, dead=False)
        with pytest.raises(KeyboardInterrupt):
            work.finish()
    assert work.abandon()
    assert opened(tmp_path / "out", resume=True).checkpoint.read_text() == "trained"
    assert (tmp_path / "out" / "result.json").read_text() == "old"


def test_a_link_to_a_folder_stays_and_its_target_gets_the_result(tmp_path: Path) -> None:
    write_old(tmp_path / "target")
    link = tmp_path / "link"
    link.symlink_to("target")
    check_out(link)
    write_folder(link)
    assert link.readlink() == Path("target")
    assert (tmp_path / "target" / "result.json").read_text() == "new"


def test_a_link_that_leads_nowhere_yet_gets_its_target_made(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")
    check_out(link)
    write_folder(link)
    assert link.is_symlink()
    assert (tmp_path / "target" / "result.json").read_text() == "new"


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="circle"):
        check_out(tmp_path / "a")


def test_a_link_to_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OutputError, match="a folder"):
        check_out(tmp_path / "link")


def test_a_disk_of_its_own_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda self: self == tmp_path)
    with pytest.raises(OutputError, match="disk of its own"):
        check_out(tmp_path)
