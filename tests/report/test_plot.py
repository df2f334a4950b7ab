from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

from offramp.report._plot import MOST, _steps, plot_exits, plot_frontier, plot_scores
from offramp.store.record import CurveRecord
from records import as_run


@pytest.mark.parametrize("quality", ["agreement", "accuracy", "harm"])
def test_the_frontier_shows_curve_knee_and_choice(result: dict[str, Any], quality: str) -> None:
    result["frontier_quality"] = quality
    svg = plot_frontier(as_run(result))
    ElementTree.fromstring(svg)
    assert all(text in svg for text in ("frontier (tune)", "knee (tune)", "chosen (test)", "network alone (test)"))


@pytest.mark.parametrize("quality", ["agreement", "accuracy", "harm"])
def test_the_frontiers_of_all_scores_share_a_plot(result: dict[str, Any], quality: str) -> None:
    result["frontier_quality"] = quality
    svg = plot_scores(as_run(result))
    ElementTree.fromstring(svg)
    assert all(text in svg for text in ("max_probability (gates)", ">entropy<", ">patience<", ">accepted loss<"))


def test_scores_that_never_lose_anything_can_be_drawn(result: dict[str, Any]) -> None:
    for one in result["scores"]["ranked"]:
        one["frontier"] = {"relative_macs": [0.3], "quality": [1.0]}
    svg = plot_scores(as_run(result))
    ElementTree.fromstring(svg)
    assert all(text in svg for text in ("max_probability (gates)", ">entropy<", ">patience<"))
    assert "nan" not in svg.lower()


def test_between_two_points_the_cheaper_one_is_all_that_a_budget_buys() -> None:
    assert _steps(CurveRecord(relative_macs=(0.9, 0.4), quality=(1.0, 0.75))) == ([0.9, 0.9, 0.4], [100.0, 75.0, 75.0])


def test_a_frontier_without_knee_is_drawn(result: dict[str, Any]) -> None:
    result["knee"] = None
    assert "knee" not in plot_frontier(as_run(result))


def test_a_plot_takes_its_color_from_the_page_and_nothing_from_outside(result: dict[str, Any]) -> None:
    svg = plot_frontier(as_run(result))
    assert "currentColor" in svg
    assert "http" not in svg.replace("http://www.w3.org", "")


def test_the_same_numbers_give_the_same_plot(result: dict[str, Any]) -> None:
    assert plot_frontier(as_run(result)) == plot_frontier(as_run(result))


@pytest.mark.parametrize("classes", [2, MOST + 5])
def test_bars_show_up_to_so_many_classes(classes: int) -> None:
    svg = plot_exits(np.full((classes, 3), 1 / 3), [f"c{at}" for at in range(classes)])
    ElementTree.fromstring(svg)
    assert f"c{min(classes, MOST) - 1}<" in svg
    assert f"c{MOST}<" not in svg
