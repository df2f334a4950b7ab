"""What is printed: UTF-8 in files and pipes, and no traceback wherever it goes."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress


def speak_utf8() -> None:
    r"""Let standard output and error print every name, whatever the locale.

    What does not go to a terminal is UTF-8, as all files are, unless PYTHONIOENCODING names another encoding; names of
    files that are no text come out as the bytes that they are. A terminal, or what was named, keeps its own encoding,
    with a number such as `\xe9` for what that does not know.
    """
    named = "PYTHONIOENCODING" in os.environ
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if named or stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def discard_output() -> None:
    """Throw away what is still to be printed: nobody takes it, and Python would try again at its end."""
    with suppress(OSError, ValueError, AttributeError):  # as a test replaces it, it has no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
