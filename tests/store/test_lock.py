"""One run at a time in one place, tried with real processes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import held_by_another
from offramp.errors import OutputError
from offramp.store import _lock
from offramp.store._lock import lock


def test_a_place_that_another_process_has_is_refused_with_its_number(tmp_path: Path) -> None:
    with (
        held_by_another(tmp_path / "out") as process,
        pytest.raises(OutputError, match=f"process {process.pid} is writing it"),
        lock(tmp_path / "out"),
    ):
        pytest.fail("two have it")


@pytest.mark.parametrize(
    "name",
    [
        lambda folder: folder / "link",
        lambda folder: folder / "sub" / ".." / "out",
        lambda folder: folder / "way" / "out",
        lambda folder: Path("out"),
        lambda folder: Path("sub/../out/"),
    ],
    ids=["link", "dots", "link above", "relative", "relative dots"],
)
def test_another_name_of_the_place_meets_the_same_lock(
    name: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("out")
    (tmp_path / "way").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    with held_by_another(tmp_path / "out"), pytest.raises(OutputError, match="must be free"), lock(name(tmp_path)):
        pytest.fail("two have it")


def test_the_lock_dies_with_its_process_and_its_file_keeps_nobody_out(tmp_path: Path) -> None:
    with held_by_another(tmp_path / "out") as process:
        process.kill()
        process.wait()
        assert (tmp_path / ".out.lock").exists()
        with lock(tmp_path / "out"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_is_free_again_afterwards_and_nothing_is_left(tmp_path: Path) -> None:
    for _ in range(2):
        with lock(tmp_path / "deep" / "out"):
            assert (tmp_path / "deep").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_used_meanwhile_stay(tmp_path: Path) -> None:
    with lock(tmp_path / "deep" / "er" / "out"):
        (tmp_path / "deep" / "mine").write_text("mine")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["mine"]


def test_a_folder_that_is_renamed_away_meanwhile_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with lock(tmp_path / "out"):
        (tmp_path / "out").rename(tmp_path / "away")
        with pytest.raises(OutputError, match="must be free"), lock(tmp_path / "out"):
            pytest.fail("two have it")


def test_a_lock_whose_file_was_removed_by_the_one_before_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, tries = _lock._hold, []

    def late(file: int) -> None:
        hold(file)
        tries.append(file)
        if len(tries) == 1:  # whoever had it gives it back just now
            (tmp_path / ".out.lock").unlink()

    monkeypatch.setattr(_lock, "_hold", late)
    with lock(tmp_path / "out"), pytest.raises(OutputError, match="must be free"), lock(tmp_path / "out"):
        pytest.fail("two have it")
    assert len(tries) == 2


def test_a_disk_without_locks_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(file: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(_lock, "_hold", unable)
    with pytest.warns(UserWarning, match="without locks"), lock(tmp_path / "out"):
        pass


def shut(name: str | os.PathLike[str], flags: int, mode: int = 0o777) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_place_beside_which_nothing_may_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", shut)
    with pytest.raises(OutputError, match="Permission denied"), lock(tmp_path / "out"):
        pytest.fail("it is not there")


def test_a_place_that_is_only_read_needs_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", shut)
    with lock(tmp_path / "out", needed=False):
        assert not list(tmp_path.iterdir())


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="writable"), lock(tmp_path / "file" / "out"):
        pytest.fail("it cannot be there")
