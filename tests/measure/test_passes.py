from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from files import GRAPH, rewrite_card
from graphs import STOP_HIGH
from offramp.errors import EvidenceError, OptionError
from offramp.measure import evidence, evidence_by_passes
from offramp.run import Answer, ArraySamples, digest_rows, openvino
from offramp.run import onnx as onnxruntime

SAMPLES = ArraySamples(
    inputs={"x": np.arange(150, dtype=np.float32).reshape(50, 3) % 17 - 6},
    ids=np.array([f"s{at}" for at in range(50)]),
    labels=np.arange(50) % 3,
)
GATE = {"score": "p", "direction": "higher", "stop_all": 0.0, "stop_none": 2.0}
CARD = {"exits": ["a", "b", "c"], "gates": [GATE, GATE], "controls": ["g", "h"]}


class Fake:
    """Sample s scores s / 10 at exit 0 and s / 100 at exit 1; exit e answers e."""

    engine, precision, threads = "fake", "f32", 1

    def __init__(self, card: Mapping[str, Any] = CARD) -> None:
        self.card = card

    def scores(self, x: NDArray[Any]) -> NDArray[np.float32]:
        return np.stack([x / 10, x / 100], axis=1).astype(np.float32)

    def __call__(self, inputs: Mapping[str, NDArray[Any]], thresholds: NDArray[np.float32] | None = None) -> Answer:
        scores = self.scores(inputs["x"][:, 0])
        passed = np.concatenate([scores >= thresholds, np.ones((len(scores), 1), np.bool_)], axis=1)  # type: ignore[operator]  # it is there
        exit_ = passed.argmax(axis=1)
        shown = np.concatenate([scores, np.ones((len(scores), 1), np.float32)], axis=1)
        rows = np.arange(len(scores))
        route = np.zeros((len(scores), 2), np.int64)
        return Answer(logits=np.eye(3, dtype=np.float32)[exit_], exit=exit_, score=shown[rows, exit_], route=route)


@pytest.mark.parametrize("engine", [openvino, onnxruntime])
@pytest.mark.parametrize("batch", [7, 64])
def test_passes_tell_what_the_dense_file_tells(chain_files: Path, engine: ModuleType, batch: int) -> None:
    dense = evidence(engine.load_dense(chain_files / "dense.onnx"), SAMPLES, gates={"sum": STOP_HIGH})
    passes = evidence_by_passes(engine.load(chain_files / "model.onnx"), SAMPLES, batch=batch)
    assert passes.predictions.shape == (50, len(GRAPH.exits))
    np.testing.assert_array_equal(passes.predictions, dense.predictions)
    np.testing.assert_array_equal(passes.scores["sum"], dense.scores["sum"])
    np.testing.assert_array_equal(passes.reference, dense.predictions[:, -1])
    assert (passes.gates, passes.ids.tolist()) == (dense.gates, SAMPLES.ids.tolist())
    for seen in (passes, dense):
        np.testing.assert_array_equal(seen.contents, digest_rows(SAMPLES.inputs))
    assert passes.labels is not None
    assert passes.labels.tolist() == SAMPLES.labels.tolist()  # type: ignore[union-attr]  # it has some


def test_the_chosen_thresholds_do_not_matter(chain_files: Path, tmp_path: Path) -> None:
    chosen = rewrite_card(chain_files / "model.onnx", tmp_path / "m.onnx", thresholds=[-1e9, 0.0, 0.0])
    before = evidence_by_passes(openvino.load(chain_files / "model.onnx"), SAMPLES)
    np.testing.assert_array_equal(evidence_by_passes(openvino.load(chosen), SAMPLES).predictions, before.predictions)


def test_a_score_that_is_no_number_never_stops() -> None:
    class Broken(Fake):
        def scores(self, x: NDArray[Any]) -> NDArray[np.float32]:
            return np.where(x[:, None] == [3, 4], np.float32(np.nan), super().scores(x))

    one = ArraySamples(inputs={"x": np.arange(6, dtype=np.float32)[:, None]}, ids=np.array(list("abcdef")))
    seen = evidence_by_passes(Broken(), one)
    assert np.argwhere(np.isnan(seen.scores["p"])).tolist() == [[3, 0], [4, 1]]
    assert seen.predictions[2].tolist() == [0, 1, 2]
    assert seen.predictions[3].tolist() == [2, 1, 2]  # the final answer stands in


@pytest.mark.parametrize(
    "card",
    [
        {**CARD, "gates": [GATE]},
        {**CARD, "exits": ["a", "b", "c", "d"]},
        {**CARD, "controls": ["g", "h", "controller"]},
        {**CARD, "gates": [GATE, {**GATE, "score": "q"}]},
        {"exits": ["a"], "gates": [], "controls": []},
    ],
)
def test_a_network_that_is_no_chain_of_exits_is_refused(card: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError, match="one gate per early exit and one score"):
        evidence_by_passes(Fake(card), SAMPLES)


def test_an_exit_that_nobody_asked_for_is_refused() -> None:
    class Stubborn(Fake):
        def scores(self, x: NDArray[Any]) -> NDArray[np.float32]:
            return super().scores(x) + np.float32(5 * (x == 2))[:, None]  # type: ignore[index,no-any-return]  # layers and arrays tell no type

    rows = ArraySamples(inputs={"x": np.arange(6, dtype=np.float32)[:, None]}, ids=np.array(list("abcdef")))
    with pytest.raises(EvidenceError, match="sample 2 leaves where no gate stopped it"):
        evidence_by_passes(Stubborn(), rows)


def test_logits_that_are_not_finite_are_refused() -> None:
    class Infinite(Fake):
        def __call__(self, inputs: Mapping[str, NDArray[Any]], thresholds: NDArray[np.float32] | None = None) -> Answer:
            answer = super().__call__(inputs, thresholds)
            answer.logits[inputs["x"][:, 0] == 4] = np.inf
            return answer

    rows = ArraySamples(inputs={"x": np.arange(6, dtype=np.float32)[:, None]}, ids=np.array(list("abcdef")))
    with pytest.raises(EvidenceError, match="sample 4 has logits not finite"):
        evidence_by_passes(Infinite(), rows, batch=3)


def test_nothing_to_run_is_refused() -> None:
    with pytest.raises(EvidenceError, match="at least one"):
        evidence_by_passes(Fake(), SAMPLES.subset(slice(0, 0)))
    with pytest.raises(OptionError, match="batch"):
        evidence_by_passes(Fake(), SAMPLES, batch=0)


def test_the_card_of_a_file_has_what_passes_need(chain_files: Path) -> None:
    (entry,) = onnx.load(chain_files / "model.onnx").metadata_props
    assert {"gates", "exits", "controls"} <= set(json.loads(entry.value))
