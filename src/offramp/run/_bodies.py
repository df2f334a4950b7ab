"""The parts of a file that compute, each compiled for a few fixed numbers of rows; the bookkeeping between is NumPy.

OpenVINO's kernels are quickest where every size is known beforehand, but how many rows go on is known only when an exit
has decided. So a body runs its rows in pieces of a power of two: 27 rows as 16 + 8 + 2 + 1. Small networks, for which
a call costs more than a row, are padded instead: 27 rows run as 32.

Shape letters: B batch.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import openvino

from ._bookkeeping import Array, Bookkeeping, Gathered, is_bookkeeping
from ._card import OUTPUTS
from ._lift import Stage, follow, lift, stages
from ._passage import Passage, is_body
from ._specialize import block_of, fold_input, fold_output

LARGEST = 2**19  # bytes of the largest tensor of a piece: larger ones leave the cache
CALL = 2**16  # bytes that a body writes in about the time that a call costs
Compile = Callable[[Any], Any]  # from openvino.Model to openvino.CompiledModel, which have no types
Given = Array | Gathered


class NotStatic(Exception):
    """Some size of a body stays open even where the number of rows is known."""


class Bodies:
    """A conditional network as bodies and bookkeeping.

    Args:
        model: As export wrote it.
        compile_model: Compiles a model with fixed sizes for one thread.
        threads: How many pieces run at a time.

    Raises:
        NotStatic: Sizes depend on more than the number of rows.
    """

    def __init__(self, model: onnx.ModelProto, compile_model: Compile, threads: int) -> None:
        self._steps = lift(model, kind=is_bookkeeping)
        self._lock = threading.Lock()  # tensors serve one call at a time
        passage = Passage(self._steps)
        gathered = dict(map(reversed, passage.gathered()))
        workers = _Workers(threads)
        blocks: dict[str, int] = {}
        self._stages: dict[int, Bookkeeping | _Body] = {}
        for stage in stages(self._steps):
            if not is_body(stage):
                self._stages[id(stage)] = Bookkeeping(stage.model.graph, gathered)
                blocks |= {name: blocks[source] for name, source in gathered.items() if source in blocks}
                continue
            body = _Body(stage, compile_model, workers)
            blocks |= {name: block for name, block in body.blocks() if passage.is_private(name)}
            body.fold(blocks)
            self._stages[id(stage)] = body

    def __call__(self, feed: Mapping[str, Array]) -> list[Array]:
        """The outputs of the file in the order of OUTPUTS, from inputs and thresholds by name."""
        with self._lock:
            values: dict[str, Any] = dict(feed)  # Any: arrays, and gathered ones
            follow(self._steps, values, self._run)
            return [np.array(values[name], order="C") for name in OUTPUTS]

    def _run(self, stage: Stage, values: MutableMapping[str, Any]) -> None:  # Any: as above
        self._stages[id(stage)](values)


class _Workers:
    """Runs one piece of work per thread."""

    def __init__(self, threads: int) -> None:
        self.count = threads
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def __call__(self, work: Callable[[int, range], None], shares: Sequence[range]) -> None:
        waiting = [self._pool.submit(work, at, share) for at, share in enumerate(shares[1:], 1)] if self._pool else []
        work(0, shares[0])
        for one in waiting:
            one.result()


class _Body:
    """A model that runs rows in pieces."""

    def __init__(self, stage: Stage, compile_model: Compile, workers: _Workers) -> None:
        self._compile, self._workers = compile_model, workers
        self._model = openvino.Core().read_model(stage.model.SerializeToString())
        self._reads = [port.any_name for port in self._model.inputs]
        self._gives = [next(name for name in stage.gives if name in port.names) for port in self._model.outputs]
        self._by_row = [_has_open_rows(port) for port in self._model.inputs]
        two, three = self._fixed(2), self._fixed(3)
        self._gives_rows = [one.shape != two.shape for one, two in zip(two.outputs, three.outputs, strict=True)]
        self._shapes = [(tuple(port.shape), port.element_type.to_dtype()) for port in two.outputs]
        self._most, self._row_bytes = _sizes(self._fixed(1))
        self._requests: dict[tuple[int, int], _Piece] = {}
        self._taken: list[Array] = []

    def blocks(self) -> Iterator[tuple[str, int]]:
        """By which side maps are better folded where they leave."""
        for name, port, by_row in zip(self._gives, self._fixed(2).outputs, self._gives_rows, strict=True):
            if by_row and (block := block_of(port.partial_shape)) > 1:
                yield name, block

    def fold(self, blocks: Mapping[str, int]) -> None:
        """Fold the maps that are named, where they enter and where they leave."""
        for name, parameter in zip(self._reads, self._model.get_parameters(), strict=True):
            if name in blocks:
                fold_input(parameter, blocks[name])
        for name, result in zip(self._gives, self._model.get_results(), strict=True):
            if name in blocks:
                fold_output(result, blocks[name])
        self._model.validate_nodes_and_infer_types()
        self._shapes = [(tuple(port.shape), port.element_type.to_dtype()) for port in self._fixed(2).outputs]

    def __call__(self, values: MutableMapping[str, Any]) -> None:  # Any: arrays, and gathered ones
        """Add what the body gives to the values; in memory that the next call uses again."""
        given = [values[name] for name in self._reads]
        rows = next((len(array) for array, by_row in zip(given, self._by_row, strict=True) if by_row), 1)
        taken = self._room(rows)
        self._workers(lambda worker, share: self._run(worker, share, given, taken), _shares(rows, self._workers.count))
        values.update(zip(self._gives, taken, strict=True))

    def _room(self, rows: int) -> list[Array]:
        """Arrays for what is given, as large as they ever had to be."""
        if not self._taken or any(
            len(array) < rows for array, by_row in zip(self._taken, self._gives_rows, strict=True) if by_row
        ):
            self._taken = [
                np.empty((rows, *shape[1:]) if by_row else shape, dtype)
                for (shape, dtype), by_row in zip(self._shapes, self._gives_rows, strict=True)
            ]
        pairs = zip(self._taken, self._gives_rows, strict=True)
        return [array[:rows] if by_row else array for array, by_row in pairs]

    def _run(self, worker: int, share: range, given: Sequence[Given], taken: Sequence[Array]) -> None:
        start = share.start
        for size in plan_pieces(max(len(share), 1), self._most, self._row_bytes):
            stop = min(start + size, share.stop)
            self._piece(worker, size)(given, taken, start, stop)
            start = stop

    def _piece(self, worker: int, rows: int) -> _Piece:
        key = (worker, rows)
        if key not in self._requests:
            self._requests[key] = _Piece(self._compile(self._fixed(rows)), self._by_row, self._gives_rows)
        return self._requests[key]

    def _fixed(self, rows: int) -> Any:  # Any: openvino.Model
        model = self._model.clone()
        model.reshape(
            {port: [rows, *list(port.partial_shape)[1:]] if by_row else port.partial_shape
             for port, by_row in zip(model.inputs, self._by_row, strict=True)}
        )  # fmt: skip
        if not all(port.partial_shape.is_static for port in (*model.inputs, *model.outputs)):
            raise NotStatic
        return model


class _Piece:
    """A request for a fixed number of rows, with tensors that are made once."""

    def __init__(self, compiled: Any, by_row: Sequence[bool], gives_rows: Sequence[bool]) -> None:  # Any: CompiledModel
        self._request = compiled.create_infer_request()
        self._by_row, self._gives_rows = by_row, gives_rows
        self._given = [_preset(self._request.set_input_tensor, at, port) for at, port in enumerate(compiled.inputs)]
        self._taken = [_preset(self._request.set_output_tensor, at, port) for at, port in enumerate(compiled.outputs)]

    def __call__(self, given: Sequence[Given], taken: Sequence[Array], start: int, stop: int) -> None:
        for buffer, array, by_row in zip(self._given, given, self._by_row, strict=True):
            if isinstance(array, Gathered):
                array.write(buffer[: stop - start], start, stop)
            elif by_row:
                buffer[: stop - start] = array[start:stop]
            else:
                buffer[...] = array
        self._request.infer(share_outputs=True)
        for target, buffer, by_row in zip(taken, self._taken, self._gives_rows, strict=True):
            if by_row:
                target[start:stop] = buffer[: stop - start]
            else:
                target[...] = buffer


def plan_pieces(rows: int, most: int, row_bytes: int) -> tuple[int, ...]:
    """Sizes of the pieces in which rows run, powers of two; the last may be larger than what is left for it.

    Args:
        rows: How many there are.
        most: Largest piece.
        row_bytes: What a body writes for a row: what filling up costs.

    Example:
        >>> plan_pieces(27, 16, 2**20), plan_pieces(27, 64, 100)
        ((16, 8, 2, 1), (32,))
    """
    whole, rest = divmod(rows, most)
    return (most,) * whole + _rest(rest, row_bytes)


@lru_cache(maxsize=4096)
def _rest(rows: int, row_bytes: int) -> tuple[int, ...]:
    if rows == 0:
        return ()
    above = 1 << (rows - 1).bit_length()
    pieces = (above // 2, *_rest(rows - above // 2, row_bytes)) if above > rows else (above,)
    filled = (above - rows) * row_bytes
    return (above,) if filled < (len(pieces) - 1) * CALL + (sum(pieces) - rows) * row_bytes else pieces


def _sizes(model: Any) -> tuple[int, int]:  # Any: openvino.Model
    """Largest piece, and bytes that a row writes, of a model fixed to one row."""
    written = [
        math.prod(port.shape) * port.element_type.size
        for node in model.get_ordered_ops()
        if node.get_type_name() != "Constant"
        for port in node.outputs()
        if port.partial_shape.is_static
    ]
    largest = max(written, default=1)
    return 1 << max((LARGEST // max(largest, 1)).bit_length() - 1, 0), sum(written)


def _has_open_rows(port: Any) -> bool:  # Any: openvino.Output
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        raise NotStatic
    return len(shape) > 0 and shape[0].is_dynamic


def _shares(rows: int, workers: int) -> list[range]:
    """Contiguous shares of the rows, one per worker at most, as even as can be."""
    count = min(workers, max(rows, 1))
    ends = [rows * at // count for at in range(count + 1)]
    return [range(*pair) for pair in itertools.pairwise(ends)]


def _preset(setter: Any, at: int, port: Any) -> Array:  # Any: OpenVINO has no types
    """A tensor that the request keeps using, as the array that shares its memory."""
    tensor = openvino.Tensor(port.element_type, port.shape)
    setter(at, tensor)
    data: Array = tensor.data
    data[...] = 0  # what fills a piece up must be a number: some are slow to compute with
    return data
