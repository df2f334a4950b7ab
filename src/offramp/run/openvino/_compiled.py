"""OpenVINO's side of `run.openvino`: a model compiled per batch size, with tensors that are made once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino

from offramp.errors import EngineError, OptionError
from offramp.run._card import CARD_KEY, check_file
from offramp.run._external import asks_for_data, missing_data
from offramp.run._ports import Array, Port

from ._packed import Columns, output_name, pack, unpack
from ._specialize import specialize

Precision = Literal["f32", "bf16", "f16", "int8"]
ROUNDED: tuple[Precision, ...] = ("bf16", "f16")  # a file with conditions rounds elsewhere than its dense twin
SHARE = 4  # rows per thread from which threads take shares of a batch, instead of working on each kernel together
SIZES = 4  # batch sizes that get a model of their own; the others go through these in pieces
RAISED = (RuntimeError, TypeError, ValueError)  # what OpenVINO raises
_CAPABILITY = {"f32": "FP32", "bf16": "BF16", "f16": "FP16", "int8": "INT8"}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Give whatever OpenVINO raises as an EngineError."""
    try:
        yield
    except RAISED as error:
        if isinstance(error, EngineError | OptionError):
            raise
        raise _explained(error, path) from error


def _explained(error: Exception, path: Path) -> EngineError:
    if asks_for_data(error):
        return missing_data(path)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no reason given"]
    return EngineError(f"OpenVINO cannot run {path} ({lines[-1][:200]}): export it anew, or try run.onnx.")


class CompiledFile:
    """One file for any batch size: the first few sizes get a model with a fixed batch, the others use those in pieces.

    A model with a free batch would do for all, but is slower, and OpenVINO 2026.4 gives garbage when the output of one
    `If` must grow while that of another still waits to be read: 1 of 1,200 random graphs, on a first call.

    Threads that share each kernel wait for each other after each: two made ResNet-56 with exits 1.0 to 1.3 times as
    quick at batch 64. So larger batches are cut into one share per thread: 1.8 times (note 0006).

    Args:
        path: An ONNX file.
        precision: What OpenVINO computes in; never left to its default.
        threads: CPU threads per call.

    Raises:
        DataError: There is no such file.
        OptionError: The CPU does not compute in this precision, or `threads` is not positive.
        EngineError: OpenVINO cannot read the file.
    """

    def __init__(self, path: str | Path, *, precision: Precision, threads: int) -> None:
        self.path = check_file(path)
        self._core = openvino.Core()
        self._threads = threads
        self._config = _config(precision, threads)
        self._rounded = precision in ROUNDED
        with translated(self.path):
            self._model = self._core.read_model(self.path)
        self._by_row = [port.partial_shape[0].is_dynamic for port in self._model.inputs]
        self._requests: dict[int, _Inference | _Shared] = {}
        self._lock = threading.Lock()  # a request and its tensors serve one call at a time

    @property
    def ports(self) -> tuple[Port, ...]:
        """The inputs, in order."""
        return tuple(_port(port) for port in self._model.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return tuple(output_name(port) for port in self._model.outputs)

    def keep(self, names: Sequence[str]) -> None:
        """Drop all outputs but these, before the first call; what led to the others is not computed."""
        for port in self._model.outputs:
            if output_name(port) not in names:
                self._model.remove_result(port.get_node())

    @property
    def card(self) -> str | None:
        """The `offramp` metadata, if there is any."""
        entry = ["framework", CARD_KEY]
        return str(self._model.get_rt_info(entry).astype(str)) if self._model.has_rt_info(entry) else None

    def __call__(self, rows: int, arrays: Sequence[Array]) -> list[Array]:
        """Outputs in order, as arrays of the caller's own; `arrays` are the inputs in order, with `rows` rows."""
        with self._lock:  # what is done here each time counts: a small network answers in 0.1 ms
            request = self._requests.get(rows)
            if request is None:
                return self._elsewhere(rows, arrays)
            try:
                return request(arrays)
            except RAISED as error:
                raise _explained(error, self.path) from error

    def _elsewhere(self, rows: int, arrays: Sequence[Array]) -> list[Array]:
        """Run what has no model of its own yet, or never will."""
        if not rows:
            return [np.empty((0, *_sizes(port)), port.element_type.to_dtype()) for port in self._model.outputs]
        with translated(self.path):
            size = self._size(rows)
            if size == rows:
                return self._request(size)(arrays)
            pieces = [self._piece(arrays, start, size, rows) for start in range(0, rows, size)]
            return [np.concatenate(column) for column in zip(*pieces, strict=True)]

    def _size(self, rows: int) -> int:
        """The batch size to run `rows` rows in: their own, if there is place for its model."""
        known = sorted(self._requests)
        if len(known) < SIZES:
            return rows
        return next((size for size in known if size >= rows), known[-1])

    def _piece(self, arrays: Sequence[Array], start: int, size: int, rows: int) -> list[Array]:
        """Outputs of the rows from `start`; where rows are missing to `size`, zeros go in and nothing comes out."""
        results = self._request(size)(_cut(arrays, self._by_row, start, size))
        return [result[: rows - start] for result in results]

    def _request(self, rows: int) -> _Inference | _Shared:
        if rows not in self._requests:
            alone = self._threads == 1 or rows < SHARE * self._threads or not any(self._by_row)
            self._requests[rows] = _Inference(*self._compile(rows, self._config)) if alone else self._shared(rows)
        return self._requests[rows]

    def _shared(self, rows: int) -> _Shared:
        share = -(-rows // self._threads)
        streams = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": self._threads}
        compiled, columns = self._compile(share, {**self._config, **streams})
        return _Shared([_Inference(compiled, columns) for _ in range(self._threads)], share, self._by_row)

    def _compile(self, rows: int, config: Mapping[str, Any]) -> tuple[Any, tuple[Columns, ...]]:
        """The model (openvino.CompiledModel) for a batch of `rows`, and where its outputs lie if they are packed."""
        model = self._model.clone()
        model.reshape(
            {port: [rows, *list(port.partial_shape)[1:]] if by_row else port.partial_shape
             for port, by_row in zip(model.inputs, self._by_row, strict=True)}
        )  # fmt: skip
        specialize(model, rows, rounded=self._rounded)
        columns = pack(model)
        return self._core.compile_model(model, "CPU", dict(config)), columns


class _Inference:
    """An inference request; where sizes are fixed its tensors are made once."""

    def __init__(self, compiled: Any, columns: Sequence[Columns]) -> None:  # Any: openvino.CompiledModel
        self._request = compiled.create_infer_request()
        self._columns = columns
        self._static = all(port.partial_shape.is_static for port in compiled.inputs)
        self._given: list[Array] = []
        self._taken: list[Array | None] = []
        if self._static:
            for at, port in enumerate(compiled.inputs):
                self._given.append(_preset(self._request.set_input_tensor, at, port))
            for at, port in enumerate(compiled.outputs):
                static = port.partial_shape.is_static
                self._taken.append(_preset(self._request.set_output_tensor, at, port) if static else None)

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        self._give(arrays)
        self._request.infer(share_outputs=True)  # else it copies them, and they are copied once more here
        return self.results()

    def start(self, arrays: Sequence[Array]) -> None:
        """Begin a call; the answer is there after `wait`."""
        self._give(arrays)
        self._request.start_async(share_inputs=True)

    def wait(self) -> None:
        """Until the call that was begun is done."""
        self._request.wait()

    def _give(self, arrays: Sequence[Array]) -> None:
        if self._static:
            for buffer, array in zip(self._given, arrays, strict=True):
                np.copyto(buffer, array)
            return
        for at, array in enumerate(arrays):
            self._request.set_input_tensor(at, openvino.Tensor(np.ascontiguousarray(array)))

    def results(self) -> list[Array]:
        """Outputs of the last call, as arrays of the caller's own."""
        if not self._static:
            taken = [tensor.data for tensor in self._request.output_tensors]
        else:
            taken = [
                self._request.get_output_tensor(at).data if buffer is None else buffer
                for at, buffer in enumerate(self._taken)
            ]
        return unpack(taken[0], self._columns) if self._columns else [array.copy() for array in taken]


class _Shared:
    """Requests that run side by side, each for a share of the rows; the last share may be filled up with zeros."""

    def __init__(self, requests: Sequence[_Inference], share: int, by_row: Sequence[bool]) -> None:
        self._requests, self._share, self._by_row = requests, share, by_row

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        rows = next(len(array) for array, by_row in zip(arrays, self._by_row, strict=True) if by_row)
        used = list(zip(self._requests, range(0, rows, self._share), strict=False))
        with ExitStack() as waiting:  # also where one fails: nothing may still run in memory that the next call writes
            for request, start in used:
                request.start(_cut(arrays, self._by_row, start, self._share))
                waiting.callback(request.wait)
        results = [request.results() for request, _ in used]
        return [np.concatenate(column)[:rows] for column in zip(*results, strict=True)]


def _cut(arrays: Sequence[Array], by_row: Sequence[bool], start: int, size: int) -> list[Array]:
    """The inputs of `size` rows from `start`; zeros where there are no more."""
    return [
        _padded(array[start : start + size], size) if cut else array for array, cut in zip(arrays, by_row, strict=True)
    ]


def _padded(array: Array, rows: int) -> Array:
    """The array with as many rows of zeros behind it as are missing."""
    missing = np.zeros((rows - len(array), *array.shape[1:]), array.dtype)
    return np.concatenate([array, missing]) if len(missing) else array


def _preset(setter: Any, at: int, port: Any) -> Array:  # Any: OpenVINO has no types
    """A tensor that the request keeps using, as the array that shares its memory."""
    tensor = openvino.Tensor(port.element_type, port.shape)
    setter(at, tensor)
    data: Array = tensor.data
    return data


def _port(port: Any) -> Port:  # Any: openvino.Output
    sizes = tuple(None if size.is_dynamic else size.get_length() for size in list(port.partial_shape)[1:])
    return Port(name=port.any_name, shape=sizes, dtype=np.dtype(port.element_type.to_dtype()).name)


def _sizes(port: Any) -> list[int]:  # Any: openvino.Output
    """Without the batch axis; 0 where nobody knows."""
    return [0 if size.is_dynamic else size.get_length() for size in list(port.partial_shape)[1:]]


@functools.cache
def list_precisions() -> tuple[str, ...]:
    """What OpenVINO can compute in on this CPU: of f32, bf16, f16 and int8 those that the hardware has."""
    known = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name, word in _CAPABILITY.items() if word in known)


def _config(precision: Precision, threads: int) -> dict[str, Any]:  # Any: OpenVINO's properties
    able = list_precisions()
    if precision not in able:
        raise OptionError(f"precision must be one that this CPU computes in ({', '.join(able)}), but is {precision!r}.")
    if threads < 1:
        raise OptionError(f"threads must be at least 1, but is {threads}. Choose 1 if in doubt.")
    return {
        "INFERENCE_PRECISION_HINT": "f32" if precision == "int8" else precision,  # a file says itself what is int8
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
