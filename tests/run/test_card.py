"""What a file says about itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from offramp.errors import DataError, EngineError, ThresholdError
from offramp.run._card import Limits, check_exits, check_file, parse_card

GATES = [{"name": "a", "stop_none": 2.0}, {"name": "b", "stop_none": -1.0}]
CARD = {"classes": 3, "exits": ["a", "b"], "inputs": {}, "gates": GATES, "controls": [], "dense": False}
PATH = Path("model.onnx")


def test_a_card_is_json() -> None:
    assert parse_card(json.dumps(CARD), PATH, dense=False) == CARD


@pytest.mark.parametrize(
    ("text", "dense", "word"),
    [
        (None, False, "no `offramp` metadata"),
        ("{", False, "broken"),
        ("{}", False, "lacks"),
        (json.dumps(CARD), True, "read it with load"),
        (json.dumps({**CARD, "dense": True}), False, "load_dense"),
    ],
)
def test_other_files_are_refused(text: str | None, dense: bool, word: str) -> None:
    with pytest.raises(EngineError, match=word):
        parse_card(text, PATH, dense=dense)


def test_without_chosen_thresholds_nobody_leaves() -> None:
    assert Limits(CARD)(None).tolist() == [2.0, -1.0]


def test_chosen_thresholds_apply_unless_others_are_given() -> None:
    limits = Limits({**CARD, "thresholds": [0.5, 0.25]})
    assert limits(None).tolist() == [0.5, 0.25]
    assert limits(np.array([1, 2], np.float32)).tolist() == [1.0, 2.0]


def test_chosen_thresholds_must_fit() -> None:
    with pytest.raises(ThresholdError):
        Limits({**CARD, "thresholds": [0.5]})


def test_a_row_without_exit_is_named() -> None:
    with pytest.raises(EngineError, match="row 1"):
        check_exits(np.array([0, -1]))


def test_no_rows_need_no_exit() -> None:
    none = np.array([-1, 0], np.int64)
    check_exits(none[:0])
    with pytest.raises(EngineError, match="row 0"):
        check_exits(none[:1])


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a model file"):
        check_file(tmp_path)
