"""What is printed under other locales, and where nobody takes it; in processes of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
PRINT = "from offramp.cli._stream import speak_utf8; import sys; speak_utf8(); print({text!a}, file=sys.{stream})"


def env(**more: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}, **PLAIN, **more}


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(("text", "printed"), [("Grün 猫", "Grün 猫\n".encode()), ("a\udcff", b"a\xff\n")])
def test_a_pipe_gets_utf8_whatever_the_locale(text: str, printed: bytes, stream: str) -> None:
    command = [sys.executable, "-c", PRINT.format(text=text, stream=stream)]
    done = subprocess.run(command, capture_output=True, env=env(), check=True)
    assert getattr(done, stream) == printed


def test_an_encoding_that_is_named_is_kept() -> None:
    command = [sys.executable, "-c", PRINT.format(text="é猫", stream="stdout")]
    done = subprocess.run(command, capture_output=True, env=env(PYTHONIOENCODING="latin-1"), check=True)
    assert done.stdout == b"\xe9\\u732b\n"


def test_a_terminal_that_knows_ascii_alone_gets_numbers() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PRINT.format(text="é", stream="stdout")]
    subprocess.run(command, stdout=theirs, env=env(), check=True)
    os.close(theirs)
    assert os.read(ours, 100) == b"\\xe9\r\n"
    os.close(ours)


def test_what_is_thrown_away_is_not_tried_again_at_the_end() -> None:
    code = "from offramp.cli._stream import discard_output; print('much'); discard_output()"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, env=env(PYTHONUNBUFFERED=""), check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")
