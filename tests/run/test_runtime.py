"""The shapes of questions and answers: anything that fits them is a runtime."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from offramp.run import Answer, DenseAnswer, DenseRuntime, Runtime


class Oracle:
    """A runtime without an engine: class 1, at once."""

    engine = "none"
    precision = "f32"
    threads = 1
    card: Mapping[str, Any] = {}

    def __call__(self, inputs: Mapping[str, NDArray[Any]], thresholds: NDArray[np.float32] | None = None) -> Answer:
        rows = len(next(iter(inputs.values())))
        return Answer(
            logits=np.tile(np.array([0, 1], np.float32), (rows, 1)),
            exit=np.zeros(rows, np.int64),
            score=np.ones(rows, np.float32),
            route=np.zeros((rows, 0), np.int64),
        )


def ask(runtime: Runtime) -> Answer:
    return runtime({"x": np.zeros((3, 1))})


def test_whatever_answers_is_a_runtime() -> None:
    assert ask(Oracle()).logits.shape == (3, 2)


def test_whatever_answers_densely_is_a_dense_runtime() -> None:
    def answer(inputs: Mapping[str, NDArray[Any]]) -> DenseAnswer:
        return DenseAnswer(logits=np.zeros((1, 2, 3), np.float32), scores={"entropy": np.zeros((1, 1), np.float32)})

    runtime: DenseRuntime = answer
    assert list(runtime({}).scores) == ["entropy"]


def test_an_answer_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ask(Oracle()).exit = np.ones(3, np.int64)  # type: ignore[misc]  # the point of the test
