from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import call
from offramp import data
from offramp.pipeline._opened import open_run
from offramp.pipeline._redraw import find_samples
from records import as_run


@pytest.fixture
def folder(finished: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished.folder, tmp_path / "out"))


def test_the_test_samples_are_found_in_the_order_of_the_evidence(finished: Any) -> None:
    test = open_run(finished.folder).parts["test"]
    samples = find_samples(as_run(finished.result), test)
    assert samples is not None
    assert samples.ids.tolist() == test.ids.tolist()
    assert samples.labels is not None
    assert samples.labels.tolist() == test.labels.tolist() if test.labels is not None else False


def test_samples_of_two_parts_are_found_too(finished: Any) -> None:
    sets = [data.load(f"digits@{part}") for part in ("train", "test")]
    ids = np.array([sets[1].ids[3], sets[0].ids[5], sets[1].ids[0]])
    test = open_run(finished.folder).parts["test"].subset(slice(3))
    object.__setattr__(test, "ids", ids)
    result = {**finished.result, "options": {**finished.result["options"], "held_out": None, "data": "digits"}}
    samples = find_samples(as_run(result), test)
    assert samples is not None
    assert samples.ids.tolist() == ids.tolist()
    assert np.array_equal(samples.take([1])["x"], sets[0].take([5])["x"])


@pytest.mark.parametrize("reference", ["npz:gone.npz", "torchvision:CIFAR10:pictures", "digits@train"])
def test_samples_that_are_not_all_there_are_none(finished: Any, reference: str) -> None:
    test = open_run(finished.folder).parts["test"]
    options = {**finished.result["options"], "held_out": reference}
    assert find_samples(as_run({**finished.result, "options": options}), test) is None


def test_a_report_without_pictures_is_said_to_be_one(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    result["options"]["held_out"] = "npz:gone.npz"
    (folder / "result.json").write_text(json.dumps(result))
    done = call("sweep", folder)
    assert done.code == 0
    assert "not found again" in done.err
    assert "data:image/png" not in (folder / "report.html").read_text()


def test_without_a_graph_the_report_has_no_drawing(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert call("sweep", folder).code == 0
    assert "<h2>The graph</h2>" not in (folder / "report.html").read_text()


def test_the_graph_is_drawn_as_the_run_drew_it(folder: Path) -> None:
    def drawn() -> str:
        return (folder / "report.html").read_text().partition('<figure class="graph">')[2].partition("</figure>")[0]

    before = drawn()
    call("sweep", folder)
    assert drawn() == before != ""
