"""The command line as users meet it: words, exit codes, sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import offramp
from offramp import cli

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Exit code and what was printed on both streams."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["offramp", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        code = left.value.code
        printed = capsys.readouterr()
        return (code if isinstance(code, int) else 0), printed.out, printed.err

    return run


def test_the_version_is_printed(call: Call) -> None:
    assert call("--version") == (0, f"{offramp.__version__}\n", "")


@pytest.mark.parametrize("word", ["demo", "inspect", "optimize", "bench", "predict", "sweep", "check", "recalibrate"])
def test_every_word_explains_itself(call: Call, word: str) -> None:
    code, out, _ = call(word, "--help")
    assert code == 0
    assert "Usage: offramp " + word in out


def test_inspect_lists_the_cut_points_as_json(call: Call) -> None:
    code, out, _ = call("inspect", "--model", "zoo:mlp", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["classes"], found["inputs"]) == (10, {"x": [1, 28, 28]})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["inspect", "--model", "zoo:nobody"], "nobody"),
        (["inspect", "--model", "zoo:mlp", "--shape", "one,two"], "--shape"),
        (["predict", "/nowhere", "--data", "digits"], "/nowhere"),
        (["bench", "/nowhere"], "/nowhere"),
        (["sweep", "/nowhere"], "/nowhere"),
        (["check", "/nowhere", "--data", "digits"], "/nowhere"),
        (["recalibrate", "/nowhere", "--data", "digits"], "/nowhere"),
        (["optimize", "--model", "zoo:mlp", "--data", "digits", "--out", "x", "--budget", "0.5", "--knee"], "--knee"),
        (["optimize", "--model", "zoo:mlp", "--data", "digits", "--out", "x", "--max-loss", "2"], "max-loss"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    call: Call, words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = call(*words)
    assert (code, out) == (2, "")
    assert error.startswith("error: ")
    assert says in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
