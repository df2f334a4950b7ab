from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offramp import attach, report
from offramp.decide import Guarantee, NetworkDecision
from offramp.errors import EvidenceError, OptionError, OutputError
from offramp.graph import find_routes
from offramp.measure import RouteSweep, route_macs
from offramp.report._routes import render_routes
from offramp.run import ArraySamples
from pages import assert_every_tag_is_closed, assert_ids_are_unique, assert_nothing_is_loaded
from route_sweeps import IDS, LABELS, SAMPLES, make_sweep

PROMISE = Guarantee(
    kind="net", max_loss=0.05, confidence=0.95, status="certified", p_value=0.01, calibration_samples=1400
)
CHOSEN = NetworkDecision(place=1, order=(0, 1), guarantee=PROMISE)
SOME = ArraySamples(inputs={"x": np.zeros((SAMPLES, 8, 8, 1), np.uint8)}, ids=IDS, labels=LABELS)


@pytest.fixture(scope="module")
def page() -> str:
    return render_routes(make_sweep(), samples=SOME, decision=CHOSEN)


def test_the_page_is_whole_and_loads_nothing_from_anywhere(page: str) -> None:
    assert_every_tag_is_closed(page)
    assert_nothing_is_loaded(page)
    assert_ids_are_unique(page)


@pytest.mark.parametrize(
    "text",
    [
        "4 networks that choose what runs",
        "The network of lambda 0.9 is chosen: 90.00 % accuracy at 0.348 of the work.",
        "Target: at most 5.0 % of accuracy is lost, 95 % confidence (1,400 calibration samples).",
        "3 of 4 networks are better than the cheapest and the dearest",
        "n1, n2: 10 samples, 1.014 of the work each",
        "opens stop0 or n1",
        "data:image/png;base64,",
    ],
)
def test_the_page_says(page: str, text: str) -> None:
    assert text in page


def test_the_table_goes_from_the_lowest_lambda_to_the_highest(page: str) -> None:
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall(r"<tr.*?</tr>", table)]
    assert [row[0] for row in rows] == ["0.2", "0.6", "0.9", "0.99"]
    assert rows[2] == ["0.9", "90.00", "90.00", "0.348", "+25.69", "3", "3.7", "chosen"]
    assert rows[0][4:] == ["+0.00", "1", "2.0", ""]


def test_without_decision_samples_and_fixed_routes_there_is_still_a_page() -> None:
    page = render_routes(make_sweep(fixed={}))
    assert "0.081 to 0.636 of the work, 50.00 to 95.00 % accuracy, by lambda." in page
    assert "no two fixed routes were given" in page
    assert "Samples of each route" not in page


def test_unlabelled_networks_have_one_column_for_agreement() -> None:
    page = render_routes(make_sweep(evidence=[replace(one, labels=None) for one in make_sweep().evidence], fixed={}))
    assert page.count("<th>Agree") == 1


def test_a_refused_promise_is_marked() -> None:
    refused = replace(PROMISE, status="refused", remedy="give more samples")
    page = render_routes(make_sweep(), decision=NetworkDecision(place=None, order=(0,), guarantee=refused))
    assert 'class="verdict bad"' in page
    assert "No network may be promised: keep the full one." in page
    assert "give more samples" in page


STRUCTURES = {
    "high-low": lambda: attach.d2nn_high_low(width=0.25),
    "cascade": lambda: attach.d2nn_cascade(width=0.25),
    "chain": lambda: attach.d2nn_chain((1, 28, 28), width=0.25),
    "hierarchy": lambda: attach.d2nn_hierarchy((3, 64, 64), width=0.02),
    "notation": lambda: attach.d2nn("q: x -> a, b\na: x | fc 8 | fc 10\nb: x | fc 10\nanswer: a or b", (4,)),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_has_its_page(name: str, tmp_path: Path) -> None:
    graph = STRUCTURES[name]()
    macs, routes = {node.name: 7 for node in graph.nodes}, np.array(list(find_routes(graph)))
    rows = routes[np.arange(SAMPLES) % len(routes)]
    evidence = replace(make_sweep().evidence[0], route=rows, macs=route_macs(graph, macs, rows))
    sweep = RouteSweep(graph=graph, macs=macs, accuracy_weights=[0.9], evidence=[evidence])
    report.routes(sweep, tmp_path / "routes.html", samples=SOME)
    page = (tmp_path / "routes.html").read_text()
    assert page.count("of the work each") == min(8, len(routes))


def test_samples_decisions_and_folders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="those of the evidence"):
        report.routes(make_sweep(), tmp_path / "a.html", samples=SOME.subset(slice(5)))
    with pytest.raises(OptionError, match="4 networks of the sweep, but names network 7"):
        report.routes(make_sweep(), tmp_path / "a.html", decision=NetworkDecision(place=7, order=(0, 7)))
    with pytest.raises(OutputError, match="writable"):
        report.routes(make_sweep(), tmp_path / "missing" / "a.html")
