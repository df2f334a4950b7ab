from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offramp.errors import OptionError, OutputError
from offramp.measure import RouteSweep
from offramp.report import draw_routes
from offramp.report._plot import PAPER
from offramp.report._route_plot import _is_near, _list, plot_nodes, plot_routes, plot_tradeoff
from route_sweeps import ROUTES, make_evidence, make_sweep


def test_the_tradeoff_shows_networks_fixed_routes_their_mixture_and_random_edges() -> None:
    svg = plot_tradeoff(make_sweep(), 1)
    ElementTree.fromstring(svg)
    for text in (">0.99<", ">0.2<", "one route for all", "mixed at random:", "random edges", "chosen", "accuracy, %"):
        assert text in svg


def test_without_fixed_routes_there_are_the_networks_alone() -> None:
    svg = plot_tradeoff(make_sweep(fixed={}))
    assert not any(text in svg for text in ("one route for all", "mixed", "random edges", "chosen"))


@pytest.mark.parametrize("count", [1, 2])
def test_some_of_the_routes_say_nothing_about_random_edges(count: int) -> None:
    fixed = {route: make_evidence(route, 0.5) for route in ROUTES[:count]}
    svg = plot_tradeoff(make_sweep(fixed=fixed))
    assert "random edges" not in svg
    assert ("mixed at random" in svg) == (count > 1)


def test_unlabelled_samples_are_judged_by_agreement() -> None:
    evidence = [replace(one, labels=None) for one in make_sweep().evidence]
    assert "agreement, %" in plot_tradeoff(make_sweep(evidence=evidence, fixed={}))


@pytest.mark.parametrize("metric", [None, lambda said, right: float((said == right)[right == 3].mean())])
def test_a_metric_can_be_drawn(metric: Callable[[np.ndarray, np.ndarray], float] | None) -> None:
    name = "accuracy" if metric is None else "recall"
    assert f"{name}, %" in plot_tradeoff(make_sweep(metric=metric, metric_name="recall"))


def test_routes_are_named_with_what_they_cost() -> None:
    svg = plot_routes(make_sweep(), 0)
    ElementTree.fromstring(svg)
    assert all(text in svg for text in ("a0 (0.08)", "n1 (0.30)", "n1, n2 (1.01)", ">chosen<"))
    assert "others" not in svg


def test_rare_routes_share_a_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offramp.report._route_plot.SHOWN", 1)
    assert ">2 others<" in plot_routes(make_sweep())


def test_numbers_of_nodes_are_drawn() -> None:
    svg = plot_nodes(make_sweep())
    ElementTree.fromstring(svg)
    assert all(f">{count}<" in svg for count in (2, 4, 6))


@pytest.mark.parametrize("plot", [plot_tradeoff, plot_routes, plot_nodes])
def test_a_plot_takes_its_colors_from_the_page(plot: Callable[[RouteSweep], str]) -> None:
    svg = plot(make_sweep())
    assert "currentColor" in svg
    assert PAPER not in svg.replace(f"var(--card, {PAPER})", "")
    assert "http" not in svg.replace("http://www.w3.org", "")


@pytest.mark.parametrize("count", [1, 14])
def test_one_network_and_many_can_be_drawn(count: int, tmp_path: Path) -> None:
    one = make_sweep().evidence[0]
    sweep = make_sweep(evidence=[one] * count, accuracy_weights=np.linspace(0, 1, count).tolist())
    draw_routes(sweep, tmp_path / "routes.png", chosen=0)
    with Image.open(tmp_path / "routes.png") as picture:
        assert picture.size == (1170, 1326)


def test_a_picture_needs_a_known_ending_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="must end in"):
        draw_routes(make_sweep(), tmp_path / "routes.txt")
    with pytest.raises(OutputError, match="writable"):
        draw_routes(make_sweep(), tmp_path / "missing" / "routes.png")


def test_neighbors_share_their_words() -> None:
    names = ["0.2", "0.6", "0.9", "0.99"]
    assert [_list(group, names) for group in ([0], [0, 1], [0, 1, 2], [0, 1, 3])] == [
        "0.2", "0.2, 0.6", "0.2 to 0.9", "0.2, 0.6, 0.99",
    ]  # fmt: skip
    stack = np.array([[0.5, 0.5], [0.5, 0.55]])
    assert _is_near(np.array([0.5, 0.6]), stack)
    assert not _is_near(np.array([0.55, 0.6]), stack)
