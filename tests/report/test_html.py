from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from offramp import report
from offramp.errors import OutputError
from offramp.measure import Evidence
from offramp.report._html import millions, render
from offramp.run import ArraySamples
from pages import assert_every_tag_is_closed, assert_ids_are_unique, assert_nothing_is_loaded
from records import as_run, make_times

DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/></svg>'


@pytest.fixture
def page(result: dict[str, Any], evidence: Evidence, samples: ArraySamples) -> str:
    return render(as_run(result), drawing=DRAWING, evidence=evidence, samples=samples)


def test_every_tag_is_closed(page: str) -> None:
    assert_every_tag_is_closed(page)


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    assert_nothing_is_loaded(page)


def test_ids_are_unique(page: str) -> None:
    assert_ids_are_unique(page)


@pytest.mark.parametrize(
    "text",
    [
        "It does 0.41 of the work",
        "3,493 calibration samples, OpenVINO f32",
        "Test: 0.88 % lost of 60 samples, 95 % interval 0.10 to 2.00 %.",
        "2.50x [2.31, 2.70]",
        "gain at batch 64, 95 % interval 2.35 to 2.45",
        "Test CPU",
        "272,474 parameters",
        "exit 0 (layer1)",
        "The easiest and the hardest",
        "data:image/png;base64,",
    ],
)
def test_the_page_says(page: str, text: str) -> None:
    assert text in page


def test_all_scores_stand_side_by_side_and_the_one_that_gates_is_marked(page: str) -> None:
    table = page.partition("Scores side by side")[2].partition("</table>")[0]
    cells = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall(r"<tr.*?</tr>", table)]
    assert cells[1:] == [
        ["max_probability", "0.5500", "0.400", "gates"],
        ["entropy", "0.5000", "0.450", ""],
        ["patience", "-0.1250", "1.050", "was not to choose from"],
    ]
    assert "MACs at 1 % loss" in table
    assert "candidate with the largest" in page


def test_a_score_that_was_asked_for_needs_no_candidates(result: dict[str, Any]) -> None:
    result["scores"]["auto"] = False
    page = render(as_run(result))
    assert "was not to choose from" not in page
    assert "--score auto" in page


def test_what_the_user_typed_is_escaped(page: str) -> None:
    assert "out/&lt;b&gt;" in page


def test_times_of_another_point_are_said_to_be_of_another(result: dict[str, Any]) -> None:
    chosen = result["chosen"]
    former = make_times(result, thresholds=[0.5, 0.25], relative_macs=0.3, command="offramp bench <x>")
    result |= {
        "times": [former],
        "chosen": {**chosen, "latency_s": {}, "gain": {}, "gain_interval": {}, "empty_latency_s": {}},
    }
    page = render(as_run(result))
    assert "Not measured since these thresholds were written" in page
    assert "Timed before, at another point (T 0.5 0.25, 0.300 of the work): 0.800 ms, 2.50x [2.31, 2.70], at" in page
    assert "offramp bench &lt;x&gt;" in page
    assert "gain at batch" not in page


def test_times_say_by_which_command_and_where_they_were_measured(result: dict[str, Any]) -> None:
    machine = {**result["machine"], "cpu": "Other CPU"}
    result["times"] = [make_times(result, threads=3, command="offramp bench out", machine=machine)]
    assert "Measured on Other CPU, 3 threads, by <code>offramp bench out</code>" in render(as_run(result))


def test_times_without_efficiency_or_other_batch_sizes_have_a_page_too(result: dict[str, Any]) -> None:
    for part in (result["chosen"], result["baseline"]):
        part["latency_s"] = {"7": part["latency_s"]["1"]}
    result["chosen"] |= {"gain": {"7": 2.5}, "gain_interval": {}, "efficiency": {}, "empty_latency_s": {}}
    page = render(as_run(result))
    assert "<b>2.50x</b><span>gain at batch 7</span>" in page
    assert "network that does nothing" not in page


@pytest.mark.parametrize(("interval", "bad"), [([0.7, 0.9], True), ([0.9, 1.1], False), (None, False)])
def test_only_a_network_that_is_surely_slower_is_marked(
    result: dict[str, Any], interval: list[float] | None, bad: bool
) -> None:
    result["chosen"] |= {"gain": {"1": 0.8}, "gain_interval": {} if interval is None else {"1": interval}}
    result["chosen"]["latency_s"].pop("64")
    assert ('class="verdict bad"' in render(as_run(result))) is bad


def test_a_refused_promise_is_marked(result: dict[str, Any]) -> None:
    result["guarantee"] |= {"status": "refused", "remedy": "give more samples"}
    page = render(as_run(result))
    assert 'class="verdict bad"' in page
    assert "give more samples" in page


def test_without_labels_evidence_and_promise_there_is_still_a_page(result: dict[str, Any]) -> None:
    result |= {"guarantee": None, "goal": {**result["goal"], "name": "knee", "max_loss": None}}
    result["baseline"]["accuracy"] = result["chosen"]["accuracy"] = None
    for one in result["exits_alone"]:
        one["accuracy"] = None
    page = render(as_run(result))
    assert "none was asked" in page
    assert "Who leaves where" not in page


def test_an_unwritable_page_is_refused(result: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="writable"):
        report.html(as_run(result), tmp_path / "missing" / "report.html")


@pytest.mark.parametrize(("macs", "text"), [(17.56e9, "17.6 G"), (2.0e6, "2.0 M"), (1500, "1.5 k"), (7, "7")])
def test_work_is_said_in_few_characters(macs: float, text: str) -> None:
    assert millions(macs) == text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_renders_it_without_complaint(page: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'user'}",
        f"--screenshot={tmp_path / 'page.png'}", "--window-size=1200,3000", f"file://{tmp_path / 'report.html'}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr
    assert (tmp_path / "page.png").stat().st_size > 20_000
