"""The command line as users meet it: words, exit codes, sentences."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from PIL import Image

import offramp
from commands import COMMAND, held_by_another, start
from offramp import cli, data

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


@pytest.mark.parametrize(
    ("former", "present"),
    [("--survivors", "--sample-weighting"), ("--mix", "--mixup"), ("--cascade", "--reuse-logits"),
     ("--ensemble", "--ensemble-heads")],
)  # fmt: skip
def test_an_option_is_also_known_by_its_former_name_which_no_help_shows(call: Call, former: str, present: str) -> None:
    shown = call("optimize", "--help")[1]
    values = ["2"] if former in ("--survivors", "--mix") else []
    words = ["optimize", "--model", "nobody:nothing", "--data", "digits", "--out", "out"]
    assert call(*words, former, *values) == call(*words, present, *values)
    assert present in shown
    assert f"{former} " not in shown


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


FEW = {  # of each command: the words that it needs, then its options that take numbers
    "optimize": (
        ["--model", "nobody:nothing", "--data", "digits", "--out", "out"],
        ["--max-loss", "--confidence", "--budget", "--exits", "--batch", "--price", "--sample-weighting", "--mixup",
         "--epochs", "--mean", "--std", "--shape", "--threads", "--seed", "--grid", "--margin"],
    ),
    "inspect": (["--model", "nobody:nothing"], ["--shape"]),
    "demo": (["--out", "out"], ["--seed"]),
    "bench": (["nowhere"], ["--batch", "--threads"]),
    "predict": (["nowhere", "--data", "digits"], ["--batch", "--threads"]),
    "sweep": (["nowhere"], ["--max-loss", "--confidence", "--budget", "--grid", "--margin"]),
    "check": (["nowhere", "--data", "digits"], ["--samples", "--confidence", "--alpha", "--threads", "--seed"]),
    "recalibrate": (
        ["nowhere", "--data", "digits"],
        ["--max-loss", "--confidence", "--budget", "--grid", "--threads", "--seed", "--margin"],
    ),
}  # fmt: skip
WITH = {  # what an option needs beside it
    "--grid": ["--search", "screening"],
    "--price": ["--regime", "cumulative"],
    "--mean": ["--std", "0.5"],
    "--std": ["--mean", "0.5"],
}
BAD = ["nan", "inf", "-inf", "1e400", "99999999999999999999", "-1", "--4", "", " ", "²", "1e-320", "0x1", "1,,1"]
FINE = {("--mean", "-1"), ("--mean", "1e-320"), ("--grid", "-1"), ("--grid", "1e-320"), ("--price", "1e-320"),
        ("--sample-weighting", "1e-320"), ("--mixup", "1e-320"), ("--margin", "1e-320")}  # fmt: skip


@pytest.mark.parametrize("value", BAD, ids=repr)
@pytest.mark.parametrize(("word", "option"), [(word, option) for word, (_, all) in FEW.items() for option in all])
def test_a_number_that_is_none_is_a_sentence_before_any_work(
    call: Call, word: str, option: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("offramp.pipeline._demo._train_network", lambda *_: pytest.fail("it began to work"))
    code, out, error = call(word, *FEW[word][0], *WITH.get(option, []), f"{option}={value}")
    assert (code, out) == (2, "")
    assert (option in error) != ((option, value) in FINE), error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["predict", "check"])
@pytest.mark.parametrize("name", [".", "missing/a.json"])
def test_a_file_that_can_be_none_is_a_sentence_before_any_work(
    call: Call, word: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = call(word, "nowhere", "--data", "digits", "--out", name)
    assert code == 2
    assert "nowhere" not in error
    assert error.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def numbers_of(command: Callable[..., object]) -> set[str]:
    """The options that take numbers, or texts with numbers in them."""
    hints = typing.get_type_hints(command, include_extras=True)
    kinds = {name: {int, float} & set(typing.get_args(hint.__origin__)) or hint.__origin__ in (int, float)
             for name, hint in hints.items() if typing.get_origin(hint) is Annotated}  # fmt: skip
    lists = {name for name, hint in hints.items() if "list[int]" in str(hint)}
    texts = {"grid", "mean", "std", "shape", "exits"} & set(hints)
    return {f"--{name.replace('_', '-')}" for name in lists | texts | {name for name, found in kinds.items() if found}}


def test_the_table_of_numbers_is_complete() -> None:
    commands = [command.callback for command in cli._app.app.registered_commands]
    assert {one.__name__: numbers_of(one) for one in commands if one} == {
        word: set(options) for word, (_, options) in FEW.items()
    }


SLOW = [
    "--model",
    "zoo:mlp",
    "--data",
    "digits",
    "--exits",
    "1",
    "--epochs",
    "100000",
    "--max-loss",
    "0.05",
]  # until it is stopped


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < until, f"{path} does not appear"
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_alone_in_its_folder_that_is_interrupted_says_how_to_go_on(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    heads = tmp_path / ".out.partial" / "heads.safetensors"
    (tmp_path / "link").symlink_to("out")
    with start("optimize", *SLOW, "--out", "out", cwd=tmp_path) as first:
        wait_for(heads, first)
        with start("optimize", *SLOW, "--out", "link", "--seed", 2, cwd=tmp_path) as second:
            _, refused = second.communicate(timeout=120)
        first.send_signal(number)
        _, said = first.communicate(timeout=120)
    assert second.returncode == 2
    assert f"must be free, but process {first.pid} is writing it" in refused
    assert first.returncode == code
    assert "interrupted.\nWhat was trained is kept in" in said
    assert "--resume" in said
    assert "Traceback" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.partial", "link"]
    assert heads.exists()


@pytest.mark.parametrize(
    "words",
    [["optimize", *SLOW, "--resume"], ["optimize", *SLOW, "--fresh"], ["demo"], ["demo", "--fresh"]],
    ids=["resume", "fresh", "demo", "fresh demo"],
)
def test_a_second_run_in_one_folder_is_refused_whatever_it_would_do(
    call: Call, words: list[str], tmp_path: Path
) -> None:
    with held_by_another(tmp_path / "out"):
        code, _, error = call(*words, "--out", str(tmp_path / "out"))
    assert code == 2
    assert "must be free" in error


@pytest.mark.parametrize(
    "words", [["optimize", *SLOW], ["demo"], ["demo", "--seed", "1"]], ids=["optimize", "demo", "demo, another seed"]
)
def test_heads_of_a_killed_run_are_not_thrown_away_without_a_word(call: Call, words: list[str], tmp_path: Path) -> None:
    hidden = tmp_path / ".out.partial"
    hidden.mkdir()
    (hidden / "heads.safetensors").write_text("trained")
    (hidden / "request.json").write_text('{"seed": 5}')
    code, _, error = call(*words, "--out", str(tmp_path / "out"))
    assert code == 2
    assert "--fresh" in error
    assert (hidden / "heads.safetensors").read_text() == "trained"


def test_going_on_and_starting_anew_exclude_each_other(call: Call, tmp_path: Path) -> None:
    code, _, error = call("optimize", *SLOW, "--out", str(tmp_path / "out"), "--resume", "--fresh")
    assert code == 2
    assert "--resume and --fresh exclude each other" in error


@pytest.mark.parametrize(
    "words",
    [
        ["sweep", "FOLDER", "--apply"],
        ["sweep", "FOLDER"],
        ["recalibrate", "FOLDER", "--data", "digits@test"],
        ["recalibrate", "FOLDER", "--data", "digits@test", "--out", "OTHER"],
        ["optimize", *SLOW, "--out", "FOLDER"],
        ["predict", "FOLDER", "--data", "digits@test", "--out", "OTHER/a.csv"],
        ["check", "FOLDER", "--data", "digits@test", "--out", "OTHER/a.json"],
    ],
    ids=lambda words: " ".join(words[:1] + words[2:]),
)
def test_no_command_writes_where_another_one_does(call: Call, words: list[str], finished: Any, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    place = tmp_path / "other" if "OTHER" in words else finished.folder
    place = tmp_path / "other" / words[-1].removeprefix("OTHER/") if words[-1].startswith("OTHER/") else place
    filled = [word.replace("FOLDER", str(finished.folder)).replace("OTHER", str(tmp_path / "other")) for word in words]
    before = {path: path.stat().st_mtime_ns for path in finished.folder.iterdir()}
    with held_by_another(place):
        code, _, error = call(*filled)
    assert code == 2
    assert "must be free" in error
    assert {path: path.stat().st_mtime_ns for path in finished.folder.iterdir()} == before
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize("words", [["predict", "--data", "digits@test"], ["sweep"], ["check", "--data", "digits"]])
def test_a_folder_whose_new_result_was_about_to_be_put_in_place_is_found(
    call: Call, words: list[str], finished: Any, tmp_path: Path
) -> None:
    kept = tmp_path / ".run.changed" / "old"
    kept.parent.mkdir()
    shutil.copytree(finished.folder, kept)
    code, _, error = call(words[0], str(tmp_path / "run"), *words[1:])
    assert code in (0, 3), error
    assert (tmp_path / "run" / "model.onnx").is_file()


def test_a_full_disk_behind_standard_output_is_a_sentence(finished: Any) -> None:
    words = ["predict", finished.folder, "--data", "digits@test"]
    with Path("/dev/full").open("wb") as full, start(*words, stdout=full) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert said.splitlines()[-1].startswith("error: standard output must take what is printed, but: No space left")
    assert "Traceback" not in said


@pytest.mark.parametrize("words", [["--version"], ["inspect", "--model", "zoo:mlp"], ["sweep", "--help"]])
def test_a_full_disk_is_a_sentence_for_short_answers_too(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full, start(*words, stdout=full) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "error: standard output" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("batch", [1, 64])
def test_a_reader_who_has_enough_is_no_error(batch: int, finished: Any) -> None:
    words = ["predict", finished.folder, "--data", "digits@test", "--batch", batch]
    with start(*words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 141
    assert said == ""


def test_a_closed_standard_output_is_a_sentence() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "inspect", "--model", "zoo:mlp"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == ("error: standard output must be open, but is closed. Send it to a file, or to /dev/null.\n")


def test_an_interrupt_of_what_cannot_go_on_does_not_speak_of_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("offramp.pipeline._inspect.inspect", interrupted)
    assert call("inspect", "--model", "zoo:mlp") == (130, "", "interrupted: repeat the command.\n")


def test_a_word_that_does_not_exist_stays_typers_own_message(call: Call) -> None:
    code, _, error = call("optimise")
    assert code == 2
    assert "No such command" in error


C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CLASSES = ("grün", "rød", "猫", "b")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Digits as class folders whose names, and those of the pictures, are not ASCII."""
    digits = data.load("digits@train")
    shown = (255 * digits.take(slice(None))["x"][:, 0]).astype(np.uint8)
    assert digits.labels is not None
    for label, name in enumerate(CLASSES):
        folder = tmp_path / "bilder-ä" / name
        folder.mkdir(parents=True)
        for at in np.flatnonzero(digits.labels == label)[:40]:
            Image.fromarray(shown[at]).resize((28, 28)).save(folder / f"ö{at}.png")
    return tmp_path / "bilder-ä"


def test_names_beyond_ascii_live_under_the_c_locale(pictures: Path, tmp_path: Path) -> None:
    def run(*words: object) -> str:
        command = [*COMMAND, *map(str, words)]
        env = {**os.environ, **C_LOCALE}
        env.pop("PYTHONIOENCODING", None)
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False)
        assert done.returncode in (0, 3), done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()
        return done.stdout.decode()

    reference, out = f"imagefolder:{pictures}", tmp_path / "läufe" / "é"
    run(
        "optimize",
        "--model",
        "zoo:mlp",
        "--data",
        reference,
        "--epochs",
        1,
        "--exits",
        1,
        "--max-loss",
        0.3,
        "--out",
        out,
    )
    printed = run("predict", out, "--data", reference)
    run("predict", out, "--data", reference, "--out", tmp_path / "å.csv")
    run("sweep", out, "--apply", "--max-loss", 0.3)
    assert (tmp_path / "å.csv").read_text(encoding="utf-8") == printed
    assert sum(f"bilder-ä/{name}/ö" in printed for name in CLASSES) == len(CLASSES)
    assert "läufe/é" in (out / "README.md").read_text(encoding="utf-8")
    assert "läufe/é" in (out / "report.html").read_text(encoding="utf-8")
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["options"]["data"] == "imagefolder:bilder-ä"
    ids = np.load(out / "evidence.npz")["ids"].tolist()
    assert all(name.startswith("bilder-ä/") for name in ids)
