"""Streams: what comes out, in which batches, and that nothing is kept."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from offramp.errors import DataError, OptionError
from offramp.run import Answer, ArraySamples, stream


class Echo:
    """A runtime whose logits are its inputs; it notes how many rows each call had."""

    engine, precision, threads = "none", "f32", 1
    card: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, inputs: Mapping[str, NDArray[Any]], thresholds: NDArray[np.float32] | None = None) -> Answer:
        rows = len(inputs["x"])
        self.rows.append(rows)
        limit = 0.0 if thresholds is None else float(thresholds[0])
        return Answer(
            logits=inputs["x"], exit=np.zeros(rows, np.int64), score=np.full(rows, limit, np.float32),
            route=np.zeros((rows, 1), np.int64),
        )  # fmt: skip


def numbered(rows: int) -> NDArray[np.float32]:
    return np.arange(rows, dtype=np.float32)[:, None]


@given(pieces=st.lists(st.integers(0, 9)), batch=st.integers(1, 12))
def test_pieces_of_any_size_come_out_in_order_and_in_even_batches(pieces: list[int], batch: int) -> None:
    rows, starts = sum(pieces), np.cumsum([0, *pieces])
    parts = ({"x": numbered(rows)[start : start + size]} for start, size in zip(starts, pieces, strict=False))
    answered = list(stream(Echo(), parts, batch=batch))
    assert [len(part.ids) for part in answered] == [batch] * (rows // batch) + [rows % batch] * (rows % batch > 0)
    assert [name for part in answered for name in part.ids] == [str(at) for at in range(rows)]
    assert [row for part in answered for row in part.answer.logits[:, 0]] == list(range(rows))


@pytest.mark.parametrize(("rows", "calls"), [(0, []), (5, [5]), (8, [8]), (19, [8, 8, 8])])
def test_only_a_batch_that_is_alone_has_a_size_of_its_own(rows: int, calls: list[int]) -> None:
    runtime = Echo()
    samples = ArraySamples(inputs={"x": numbered(rows)}, ids=np.array([f"n{at}" for at in range(rows)], dtype=np.str_))
    answered = list(stream(runtime, samples, batch=8))
    assert runtime.rows == calls
    assert [name for part in answered for name in part.ids] == samples.ids.tolist()
    assert [row for part in answered for row in part.answer.logits[:, 0]] == list(range(rows))
    assert all(len(part.answer.route) == len(part.ids) for part in answered)


def test_thresholds_apply_to_every_call() -> None:
    answered = stream(Echo(), [{"x": numbered(5)}], batch=2, thresholds=np.array([0.5], np.float32))
    assert [part.answer.score[0] for part in answered] == [0.5, 0.5, 0.5]


def test_nothing_that_was_answered_is_kept() -> None:
    given_out: list[weakref.ref[NDArray[np.float32]]] = []

    def pieces() -> Iterator[dict[str, NDArray[np.float32]]]:
        for _ in range(50):
            array = np.zeros((3, 1), np.float32)
            given_out.append(weakref.ref(array))
            yield {"x": array}
            del array

    alive = []
    for _ in stream(Echo(), pieces(), batch=4):
        gc.collect()
        alive.append(sum(reference() is not None for reference in given_out))
    assert max(alive) <= 4  # the current batch, and what waits for the next one


def test_samples_are_asked_for_when_they_are_needed() -> None:
    asked: list[int] = []

    def pieces() -> Iterator[dict[str, NDArray[np.float32]]]:
        for at in range(100):
            asked.append(at)
            yield {"x": numbered(1)}

    next(iter(stream(Echo(), pieces(), batch=3)))
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([{"x": np.zeros((2, 1)), "y": np.zeros((3, 1))}], "equally many rows"),
        ([{"x": np.zeros(())}], "Add the axis"),
        ([{}], "equally many rows"),
        ([{"x": np.zeros((1, 1))}, {"x": np.zeros((1, 2))}], "alike throughout"),
        ([{"x": np.zeros((1, 1))}, {"y": np.zeros((1, 1))}], "alike throughout"),
        ([{"x": np.zeros((1, 1))}, {"x": np.zeros((1, 1), np.float32)}], "float32"),
    ],
)
def test_pieces_that_do_not_fit_each_other_are_refused(pieces: list[dict[str, NDArray[Any]]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(stream(Echo(), pieces, batch=2))


def test_a_batch_of_nothing_is_refused_before_anything_is_read() -> None:
    with pytest.raises(OptionError, match="batch"):
        stream(Echo(), iter([{"x": numbered(1)}]), batch=0)


class Strict(Echo):
    """Refuses what is no column of float32, as every runtime does."""

    def __call__(self, inputs: Mapping[str, NDArray[Any]], thresholds: NDArray[np.float32] | None = None) -> Answer:
        if list(inputs) != ["x"] or inputs["x"].shape[1:] != (1,):
            raise DataError("x must be a column")
        return super().__call__(inputs, thresholds)


@pytest.mark.parametrize("piece", [{"x": np.zeros((0, 2))}, {"y": np.zeros((0, 1))}])
def test_a_piece_without_rows_is_checked_like_any_other(piece: dict[str, NDArray[Any]]) -> None:
    with pytest.raises(DataError, match="must be a column"):
        list(stream(Strict(), [{"x": numbered(1)}, piece, {"x": numbered(1)}], batch=1))


@pytest.mark.parametrize("pieces", [[], [{"x": numbered(0)}], [{"x": numbered(0)}, {"x": numbered(0)}]])
def test_a_stream_of_nothing_gives_nothing(pieces: list[dict[str, NDArray[Any]]]) -> None:
    assert list(stream(Strict(), pieces, batch=2)) == []
