"""What a user names to be written, and what is there afterwards."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from commands import held_by_another
from offramp.errors import OutputError
from offramp.store._file import open_file, reserve_file

WRITE = """
import sys
from pathlib import Path
from offramp.store._file import open_file, reserve_file
out = Path(sys.argv[1])
with reserve_file(out), open_file(out) as file:
    file.write(b"new")
"""


def write(out: Path) -> None:
    with reserve_file(out), open_file(out) as file:
        file.write(b"new")


def test_a_file_is_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new"}


def test_a_pipe_is_written_through_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert read == [b"new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_device_is_written_through(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write(link)
    assert link.is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_device_is_a_sentence() -> None:
    with pytest.raises(OutputError, match="No space left"):
        write(Path("/dev/full"))


@pytest.mark.parametrize("there", [True, False], ids=["file", "nothing yet"])
def test_a_link_stays_and_its_target_is_written(there: bool, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    if there:
        (tmp_path / "sub" / "target").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("sub/target")
    write(link)
    assert link.readlink() == Path("sub/target")
    assert (tmp_path / "sub" / "target").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["target"]


def test_another_name_of_the_same_file_keeps_what_was_there_whole(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"old")
    (tmp_path / "a").hardlink_to(tmp_path / "kept")
    write(tmp_path / "a")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "kept").read_bytes()) == (b"new", b"old")


def test_the_rights_of_an_old_file_stay(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o600)
    write(tmp_path / "a")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_what_the_process_has_open_is_written_where_it_stands(name: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"before ")
    with log.open("ab") as file:
        subprocess.run([sys.executable, "-c", WRITE, name], stdout=file, check=True)
    assert log.read_bytes() == b"before new"


def test_what_is_not_open_for_writing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"old")
    with (tmp_path / "log").open("rb") as file, pytest.raises(OutputError, match="open for writing"):
        write(Path(f"/dev/fd/{file.fileno()}"))


def make_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(place))


def make_circle(place: Path) -> None:
    place.symlink_to(place.name)


@pytest.mark.parametrize(
    ("make", "says"),
    [(Path.mkdir, "is a folder"), (make_socket, "may be written"), (make_circle, "circle")],
    ids=["folder", "socket", "circle"],
)
def test_what_can_be_no_file_is_refused_before_the_work(
    make: object, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("x"))  # type: ignore[operator]  # each takes a path
    with pytest.raises(OutputError, match=says), reserve_file(Path("x")):
        pytest.fail("the work began")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("name", [".", "", "..", "/"])
def test_a_name_of_a_folder_is_refused(name: str) -> None:
    with pytest.raises(OutputError, match="is a folder"), reserve_file(Path(name)):
        pytest.fail("the work began")


@pytest.mark.parametrize("name", ["file/a", "missing/a"])
def test_a_file_that_lies_in_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(OutputError, match="lie in a folder"), reserve_file(tmp_path / name):
        pytest.fail("the work began")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_must_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever runs the tests may be root
    with pytest.raises(OutputError, match="may be written"), reserve_file(tmp_path / "a"):
        pytest.fail("the work began")


def test_a_file_that_another_process_writes_is_refused(tmp_path: Path) -> None:
    with (
        held_by_another(tmp_path / "a"),
        pytest.raises(OutputError, match="must be free"),
        reserve_file(tmp_path / "a"),
    ):
        pytest.fail("the work began")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_stops_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def fail() -> None:
        with open_file(tmp_path / "a") as file:
            file.write(b"ne")
            raise error

    with pytest.raises((KeyboardInterrupt, OutputError)):
        fail()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}
