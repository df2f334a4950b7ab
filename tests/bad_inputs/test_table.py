"""Each bad input of `table.py` is answered by its sentence and exit code 2, and nothing is written or trained."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.main import get_command

from bad_inputs.places import FILES, RUNS, make_files
from bad_inputs.table import ROWS
from commands import call
from offramp.cli._app import app
from runs import finished_run

WORDS = 40  # of a sentence, at most

pytestmark = pytest.mark.usefixtures("vision")


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a network that was never trained: nobody reads its numbers."""
    network = ("--model", "zoo:mlp", "--exits", 1, "--epochs", 1, "--score", "max_probability,entropy")
    samples = ("--data", "digits@train", "--held-out", "digits@test")
    return finished_run(tmp_path_factory, "small", "optimize", *network, *samples, "--knee").folder


def contents(folder: Path) -> dict[str, Any]:
    """Everything in a folder, hidden or not, without opening what would wait for a writer."""
    return {
        str(path.relative_to(folder)): path.readlink()
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else path.stat().st_mode
        for path in sorted(folder.rglob("*"))
    }


def sentence_of(err: str) -> str:
    """The last line of ours, or all that the reader of options says in its frame."""
    if err.startswith("Usage:"):
        return " ".join(re.sub("[│╭╮╰╯─]", " ", err).split())
    last = err.splitlines()[-1]
    assert last.startswith("error: "), err
    assert len(last.removeprefix("error: ").split()) <= WORDS, last
    return last


@pytest.mark.parametrize(("command", "said"), [pytest.param(*row, id=row[0]) for row in ROWS])
def test_a_bad_input_is_one_sentence_and_leaves_nothing_behind(
    command: str, said: str, small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(command)
    make_files(words, tmp_path, small_run)
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.autograd, "backward", lambda *_, **__: pytest.fail("it trains"))
    done = call(*words)
    assert (done.code, done.out) == (2, ""), done.err
    assert re.search(said, sentence_of(done.err)), done.err
    assert contents(tmp_path) == before


def test_there_are_a_hundred_of_them_and_they_reach_every_command() -> None:
    commands = [shlex.split(command)[0] for command, _ in ROWS]
    assert len(commands) == len(set(ROWS)) >= 100
    assert set(get_command(app).commands) - set(commands) == set()  # type: ignore[attr-defined]  # a group


def test_every_bad_file_is_named_by_a_row() -> None:
    named = {part for command, _ in ROWS for part in re.split("[ :=@/]", command)}
    assert {name.removesuffix(".py") for name in (*FILES, *RUNS)} - named == set()
