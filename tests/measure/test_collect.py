from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evidences import GATES
from offramp.errors import EvidenceError, OptionError
from offramp.measure import evidence
from offramp.run import ArraySamples, DenseAnswer


def _run(inputs: Mapping[str, NDArray[Any]]) -> DenseAnswer:
    x = inputs["x"]
    return DenseAnswer(logits=np.stack([x, -x], axis=1), scores={"entropy": x[:, :1], "other": x[:, :1]})


SAMPLES = ArraySamples(
    inputs={"x": np.array([[0.0, 1.0], [2.0, 1.0], [3.0, 4.0]], np.float32)}, ids=np.array(["a", "b", "c"])
)
ENTROPY = {"entropy": GATES["entropy"]}


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_the_batch_size_changes_nothing(batch: int) -> None:
    steps: list[int] = []
    seen = evidence(_run, SAMPLES, gates=ENTROPY, batch=batch, progress=steps.append)
    assert seen.predictions.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert seen.scores["entropy"].ravel().tolist() == [0.0, 2.0, 3.0]
    assert list(seen.scores) == ["entropy"]
    assert sum(steps) == 3


def test_the_final_exit_is_the_reference_unless_one_is_given() -> None:
    assert evidence(_run, SAMPLES, gates=ENTROPY).reference.tolist() == [0, 1, 0]
    given = evidence(_run, SAMPLES, gates=ENTROPY, reference=np.array([1, 1, 1]))
    assert given.reference.tolist() == [1, 1, 1]


def test_a_missing_score_is_named() -> None:
    with pytest.raises(EvidenceError, match="max_probability"):
        evidence(_run, SAMPLES, gates=GATES)


def test_logits_that_are_not_finite_are_refused() -> None:
    broken = ArraySamples(inputs={"x": np.array([[0, 1], [np.nan, 1]], np.float32)}, ids=np.array(["a", "b"]))
    with pytest.raises(EvidenceError, match="sample 1"):
        evidence(_run, broken, gates=ENTROPY, batch=1)


def test_no_samples_are_refused() -> None:
    with pytest.raises(EvidenceError, match="at least one"):
        evidence(_run, SAMPLES.subset(slice(0, 0)), gates=ENTROPY)


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(OptionError, match="batch"):
        evidence(_run, SAMPLES, gates=ENTROPY, batch=0)
