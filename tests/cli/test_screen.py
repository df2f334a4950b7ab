from __future__ import annotations

import warnings

import pytest

from offramp.cli._screen import Screen
from offramp.errors import OfframpWarning


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


def test_the_librarys_own_warnings_are_said_once_and_others_stay_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()

    def work() -> None:
        with screen.step("work"):
            for text in ("too few MACs", "too few MACs"):
                warnings.warn(text, OfframpWarning, stacklevel=1)
            warnings.warn("of somebody else", UserWarning, stacklevel=1)

    with pytest.warns(UserWarning, match="of somebody else") as others:
        work()
    assert len(others) == 1
    assert screen.warnings == ["too few MACs"]
    assert capsys.readouterr().err == "warning: too few MACs\n"
