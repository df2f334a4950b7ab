from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from rich.console import Console

from offramp.report import model_card, print_sweep
from offramp.report._html import render
from offramp.report._plot import plot_frontier
from offramp.report._sweep import SHOWN, loss_rows, point_rows
from records import as_run, as_sweep


def printed(sweep: dict[str, Any]) -> str:
    target = io.StringIO()
    print_sweep(as_sweep(sweep), Console(file=target, width=120, color_system=None, highlight=False))
    return target.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "screening by max_probability: 30 points, on 2,994 tuning samples",
        "a loss is an answer that changes, 95 % confidence, proven on 3,493 calibration samples",
        "chosen: T .875 .5; on 60 test samples 98.00 % agreement at 0.380 of the work",
        "promise: at most 2.0 % of answers change",
    ],
)
def test_both_tables_say_on_which_samples(sweep: dict[str, Any], text: str) -> None:
    assert text in printed(sweep)


def test_some_of_many_points_are_shown_with_both_ends_and_the_knee(sweep: dict[str, Any]) -> None:
    shown = point_rows(as_sweep(sweep))
    assert SHOWN <= len(shown) <= SHOWN + 1
    assert [row[2] for mark, row in shown if mark == "knee"] == [f"{sweep['points'][11]['relative_macs']:.3f}"]
    assert (shown[0][1][2], shown[-1][1][2]) == ("0.950", "0.370")


def test_a_short_curve_is_shown_whole(sweep: dict[str, Any]) -> None:
    sweep |= {"points": sweep["points"][:3], "knee": None}
    assert [mark for mark, _ in point_rows(as_sweep(sweep))] == ["", "", ""]


def test_without_exits_the_threshold_is_a_dash(sweep: dict[str, Any]) -> None:
    alone = {"thresholds": [], "exit_rates": [1.0]}
    sweep |= {"points": [sweep["points"][0] | alone], "knee": None, "chosen": sweep["chosen"] | alone}
    assert point_rows(as_sweep(sweep))[0][1][-2:] == ("-", "100")
    assert "chosen: T -; on" in printed(sweep)


def test_a_refused_loss_has_no_numbers(sweep: dict[str, Any]) -> None:
    refused, certified, _ = loss_rows(as_sweep(sweep))
    assert refused[:2] == ("0.1", "refused")
    assert set(refused[2:]) == {"-"}
    assert certified == ("1", "certified", "0.88", "94.00", "99.00", "0.400", ".875 .5", "50 30 20")


def test_the_page_shows_what_each_loss_would_cost(result: dict[str, Any], sweep: dict[str, Any]) -> None:
    page = render(as_run(result), sweep=as_sweep(sweep))
    for text in ("What each loss would cost", "Asked for, not written to the file", "in the file (test)", "1 to 2 %"):
        assert text in page
    assert "What each loss would cost" not in render(as_run(result))


def test_an_applied_sweep_is_what_the_file_has(result: dict[str, Any], sweep: dict[str, Any]) -> None:
    result["applied"] = "offramp sweep out --apply"
    page = render(as_run(result), sweep=as_sweep({**sweep, "applied": True}))
    assert "Written to the file" in page
    assert "asked for (test)" not in page
    assert "offramp sweep out --apply" in page
    assert "offramp sweep out --apply" in model_card(as_run(result))


def test_times_that_were_not_measured_are_dashes(result: dict[str, Any]) -> None:
    result["chosen"] |= {"latency_s": {}, "gain": {}, "efficiency": {}, "ideal_latency_s": {}}
    page = render(as_run(result))
    assert "Not measured since" in page
    assert "gain at batch 1" not in page
    assert "0.410" in model_card(as_run(result))


def test_the_sweeps_own_curve_is_drawn(result: dict[str, Any], sweep: dict[str, Any]) -> None:
    svg = plot_frontier(as_run(result), as_sweep(sweep))
    ElementTree.fromstring(svg)
    assert svg != plot_frontier(as_run(result))
    assert "loss that can be promised" in svg


def test_far_losses_have_words_of_their_own(result: dict[str, Any], sweep: dict[str, Any]) -> None:
    sweep["losses"][2]["relative_macs"] = 0.2
    svg = plot_frontier(as_run(result), as_sweep(sweep))
    assert "1 %" in svg
    assert "2 %" in svg
    assert "1 to 2 %" not in svg


def test_no_promise_at_all_is_drawn_too(result: dict[str, Any], sweep: dict[str, Any]) -> None:
    kept = {**sweep, "losses": sweep["losses"][:1], "knee": None}
    assert "can be promised" not in plot_frontier(as_run(result), as_sweep(kept))
