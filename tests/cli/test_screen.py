from __future__ import annotations

import threading
import warnings

import pytest

from offramp.cli._screen import Terminal
from offramp.pipeline._screen import Screen


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")


def test_a_log_has_a_line_when_a_step_starts_and_one_when_it_is_done(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    screen = Screen(Terminal(log=True, clock=clock))
    with screen.step("time [4]"):
        assert capsys.readouterr().err == "· time [4]\n"
        clock.now += 75
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "  done in 1 min 15 s\n")


def test_a_long_step_says_where_it_is_and_what_is_left(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    terminal = Terminal(clock=clock)
    screen = Screen(terminal)
    with screen.step("post"):
        clock.now += 3
        screen.watch(10, 100, "epoch 1/8")
        clock.now += 30
        screen.watch(40, 100, "epoch 3/8")
        terminal.beat()
    assert "  post: 33 s so far, epoch 3/8, about 60 seconds left\n" in capsys.readouterr().err


def test_a_step_that_counts_nothing_says_how_long_it_has_taken(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    terminal = Terminal(clock=clock)
    screen = Screen(terminal)
    with screen.step("report"):
        clock.now += 61
        terminal.beat()
    assert "  report: 1 min 1 s so far\n" in capsys.readouterr().err


def test_a_resumed_training_is_judged_by_its_own_pace(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    terminal = Terminal(clock=clock)
    screen = Screen(terminal)
    with screen.step("post"):
        screen.watch(900, 1000, "")
        terminal.beat()
        clock.now += 30
        screen.watch(950, 1000, "")
        terminal.beat()
    assert "so far, 900 of 1000\n" in (said := capsys.readouterr().err)
    assert "so far, 950 of 1000, about 30 seconds left\n" in said


def test_lines_come_by_themselves_as_long_as_a_step_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, beaten, enough = Terminal(interval_s=0.001), [], threading.Event()

    def beat() -> None:
        beaten.append(True)
        if len(beaten) == 3:
            enough.set()

    monkeypatch.setattr(terminal, "beat", beat)
    before = set(threading.enumerate())
    with Screen(terminal).step("work"):
        assert enough.wait(60)
    assert set(threading.enumerate()) == before


def test_a_step_that_fails_is_not_called_done(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(Terminal(log=True))
    with pytest.raises(ValueError, match="broken"), screen.step("work"):
        raise ValueError("broken")
    assert capsys.readouterr().err == "· work\n"


def test_short_commands_have_no_line_of_a_step_in_a_log(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    terminal = Terminal(clock=clock)
    screen = Screen(terminal)
    with screen.step("decision"):
        terminal.beat()
    assert capsys.readouterr().err == "  decision: 0.0 s so far\n"


@pytest.mark.parametrize("lively", [False, True])
def test_nothing_but_warnings_is_shown_to_who_wants_quiet(
    lively: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if lively:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
    with Terminal(quiet=True, log=True).heard() as terminal:
        screen = Screen(terminal)
        with screen.step("work"):
            screen.watch(1, 2, "half")
            screen.warn("mind the [gap]")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "work" not in shown.err
    assert "half" not in shown.err
    assert "warning: mind the [gap]\n" in shown.err
    assert (screen.shows, screen.warnings) == (False, ["mind the [gap]"])


def test_a_warning_names_options_where_the_library_names_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal().heard() as terminal:
        Screen(terminal).warn("no held_out: 40 % is set aside", about=["held_out"])
    assert capsys.readouterr().err == "warning: no --held-out: 40 % is set aside\n"


def test_warnings_of_others_stay_warnings() -> None:
    def work() -> None:
        with Terminal().heard():
            warnings.warn("of somebody else", UserWarning, stacklevel=1)

    with pytest.warns(UserWarning, match="of somebody else"):
        work()


@pytest.mark.usefixtures("terminal")
def test_every_step_has_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(Terminal())
    with screen.step("evidence"):
        pass
    with screen.step("post"):
        screen.watch(1, 4, "epoch 1/4")
    said = capsys.readouterr().err
    assert said.count("━") > 0
    assert said.index("evidence") < said.index("━") < said.index("post")
    assert "epoch 1/4" in said


@pytest.mark.usefixtures("terminal")
def test_steps_within_steps_share_one_bar(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(Terminal())
    with screen.step("outer"), screen.step("inner"):
        screen.watch(1, 2, "")
    assert "inner" in capsys.readouterr().err


@pytest.mark.parametrize("lively", [False, True])
def test_progress_passes_on_what_comes_and_draws_on_a_terminal_only(
    lively: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if lively:
        monkeypatch.setenv("FORCE_COLOR", "1")
    parts = [[1, 2], [3]]
    assert list(Screen(Terminal()).progress(parts, 3, "answering")) == parts
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("answering" in shown.err) == lively


def test_progress_has_lines_in_a_log_too(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    terminal = Terminal(clock=clock)
    screen = Screen(terminal)
    for _ in screen.progress([[1, 2], [3, 4]], 4, "answering"):
        terminal.beat()
        clock.now += 40
    assert "  answering: 40 s so far, 2 of 4, about 40 seconds left\n" in capsys.readouterr().err
