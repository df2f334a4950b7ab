"""Answers to any number of samples, batch after batch, in memory that does not grow.

Shape letters: B batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError, OptionError

from ._as_samples import as_samples, is_collection
from ._runtime import Answer, Runtime
from ._samples import Array, Samples

Pieces = Iterable[Mapping[str, Array]]
_Batches = Iterator[tuple[NDArray[np.str_], Mapping[str, Array]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredBatch:
    """Some samples in a row, and what the network says of them.

    Attributes:
        ids: Their names [B].
        answer: One row per name.
    """

    ids: NDArray[np.str_]
    answer: Answer


def stream(
    runtime: Runtime,
    samples: Any,  # Any: `Samples`, `Pieces`, or as `as_samples` takes them
    *,
    batch: int = 64,
    thresholds: NDArray[np.float32] | None = None,
) -> Iterator[AnsweredBatch]:
    """Answers to samples, a batch at a time and in order; nothing but the current batch is kept.

    The last batch is filled up with copies of its last sample, whose answers are dropped: engines prepare a model for
    each batch size, which takes longer than to answer the copies.

    Args:
        runtime: A conditional network.
        samples: `Samples` or what `as_samples` takes, such as an array; or inputs as they come: an iterable of mappings
            from input name to array, each with one row or more. What comes so is named by its place in the stream,
            from "0".
        batch: Samples per call of the runtime.
        thresholds: Those of every call; None takes the ones that the file has chosen.

    Raises:
        OptionError: `batch` is not positive.
        DataError: The inputs do not fit the network, or each other.
        ThresholdError: The thresholds do not fit the gates.
        EngineError: The engine failed.

    Example:
        >>> class Double:
        ...     def __call__(self, inputs, thresholds=None):
        ...         none = np.zeros(len(inputs["x"]), np.int64)
        ...         return Answer(logits=2 * inputs["x"], exit=none, score=none, route=none[:, None])
        >>> pieces = ({"x": np.full((3, 1), at)} for at in range(5))
        >>> [batch.ids.tolist() for batch in stream(Double(), pieces, batch=8)]
        [['0', '1', '2', '3', '4', '5', '6', '7'], ['8', '9', '10', '11', '12', '13', '14']]
    """
    if batch < 1:
        raise OptionError(f"batch must be at least 1, but is {batch}. Choose 64 if in doubt.")
    if is_collection(samples):
        batches = _cut(as_samples(samples), batch)
    else:
        batches = _gather(_with_rows(samples, runtime, thresholds), batch)
    return _answers(runtime, batches, batch, thresholds)


def _answers(
    runtime: Runtime, batches: _Batches, batch: int, thresholds: NDArray[np.float32] | None
) -> Iterator[AnsweredBatch]:
    for at, (ids, inputs) in enumerate(batches):
        rows = len(ids)
        short = at > 0 and rows < batch
        answer = runtime(_filled(inputs, batch) if short else inputs, thresholds)
        yield AnsweredBatch(ids=ids, answer=_first(answer, rows) if short else answer)


def _cut(samples: Samples, batch: int) -> _Batches:
    for start in range(0, len(samples), batch):
        part = samples.subset(slice(start, start + batch))
        yield part.ids, part.take(slice(None))


def _with_rows(
    pieces: Pieces, runtime: Runtime, thresholds: NDArray[np.float32] | None
) -> Iterator[Mapping[str, Array]]:
    """The pieces that have a row; those without are checked by the runtime like any batch, and give nothing."""
    for piece in pieces:
        if _count(piece):
            yield piece
        else:
            runtime(piece, thresholds)


def _gather(pieces: Pieces, batch: int) -> _Batches:
    """Batches of exactly `batch` rows, but for the last, from pieces of any size."""
    waiting: list[Mapping[str, Array]] = []
    start = rows = 0
    for piece in pieces:
        rows += _count(piece)
        waiting.append(piece)
        while rows >= batch:
            joined = _joined(waiting)
            yield _numbers(start, batch), {name: array[:batch] for name, array in joined.items()}
            start, rows = start + batch, rows - batch
            waiting = [{name: array[batch:] for name, array in joined.items()}] if rows else []
    if rows:
        yield _numbers(start, rows), _joined(waiting)


def _count(piece: Mapping[str, Array]) -> int:
    sizes = {name: np.shape(array)[:1] for name, array in piece.items()}
    if len(set(sizes.values())) != 1 or () in sizes.values():
        raise DataError(
            f"what is streamed must be arrays with equally many rows, one per sample, but got {sizes}. Add the axis."
        )
    return int(next(iter(sizes.values()))[0])


def _joined(pieces: list[Mapping[str, Array]]) -> Mapping[str, Array]:
    if len(pieces) == 1:
        return pieces[0]
    forms = [_form(piece) for piece in pieces]
    other = next((form for form in forms if form != forms[0]), None)
    if other is not None:
        raise DataError(
            f"what is streamed must be alike throughout, but is {forms[0]} and later {other}. Convert or reshape it."
        )
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _form(piece: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {piece[name].dtype} {list(piece[name].shape[1:])}" for name in sorted(piece))


def _numbers(start: int, count: int) -> NDArray[np.str_]:
    return np.array([str(at) for at in range(start, start + count)], dtype=np.str_)


def _filled(inputs: Mapping[str, Array], rows: int) -> dict[str, Array]:
    return {
        name: np.concatenate([array, np.repeat(array[-1:], rows - len(array), axis=0)])
        for name, array in inputs.items()
    }


def _first(answer: Answer, rows: int) -> Answer:
    return Answer(
        logits=answer.logits[:rows], exit=answer.exit[:rows], score=answer.score[:rows], route=answer.route[:rows]
    )
