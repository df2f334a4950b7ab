from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from commands import call
from offramp.pipeline._demo import PARTS, TRAIN, _digits


def test_the_digits_are_divided_without_overlap() -> None:
    train, held = _digits()
    assert (len(train), len(held)) == (TRAIN, 997)
    assert len(np.intersect1d(train.ids, held.ids)) == 0
    assert round(PARTS[1] * len(held)) == 450


@pytest.mark.slow
def test_the_demo_keeps_its_promise_at_less_than_two_thirds_of_the_work(tmp_path: Path) -> None:
    done = call("demo", "--out", tmp_path / "demo", "--json")
    assert done.code == 0
    assert done.json["guarantee"]["status"] == "certified"
    assert done.json["chosen"]["relative_macs"] <= 0.6
