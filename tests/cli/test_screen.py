from __future__ import annotations

import pytest

from offramp.cli._screen import Screen


def test_nothing_but_warnings_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    with screen.step("work"):
        screen.warn("mind the [gap]")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "warning: mind the [gap]\n"
    assert screen.warnings == ["mind the [gap]"]


def test_steps_are_shown_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen = Screen()
    with screen.step("work"):
        pass
    assert "work" in capsys.readouterr().err


@pytest.mark.parametrize("lively", [False, True])
def test_progress_passes_on_what_comes_and_is_shown_on_a_terminal_only(
    lively: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if lively:
        monkeypatch.setenv("FORCE_COLOR", "1")
    parts = [[1, 2], [3]]
    assert list(Screen().progress(parts, 3, "answering")) == parts
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("answering" in shown.err) == lively
