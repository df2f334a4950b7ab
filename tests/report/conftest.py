"""A result as a run leaves it, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from offramp.graph import Gate
from offramp.measure import Evidence
from offramp.run import ArraySamples
from records import make_result, make_sweep


@pytest.fixture
def result() -> dict[str, Any]:
    """As JSON, so that a test can change it; `records.as_run` makes the record of it."""
    return make_result()


@pytest.fixture
def evidence() -> Evidence:
    """Of 60 samples in 3 classes; the surest leave first."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    scores = random.random((60, 2)).astype(np.float32)
    predictions = np.stack([np.where(scores[:, 0] > 0.2, labels, (labels + 1) % 3), labels, labels], axis=1)
    return Evidence(
        ids=np.array([f"s{at}" for at in range(60)]),
        predictions=predictions,
        scores={"max_probability": scores},
        gates={"max_probability": Gate(direction="higher", stop_all=0.0, stop_none=2.0)},
        reference=labels,
        labels=labels,
    )


@pytest.fixture
def samples(evidence: Evidence) -> ArraySamples:
    pixels = np.random.default_rng(1).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    return ArraySamples(inputs={"x": pixels}, ids=evidence.ids, labels=evidence.labels)  # type: ignore[arg-type]  # as it is at run time


@pytest.fixture
def sweep(result: dict[str, Any]) -> dict[str, Any]:
    """What a sweep of that result prints as JSON."""
    return make_sweep(result)
