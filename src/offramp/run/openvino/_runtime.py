"""Runs files with OpenVINO on the CPU, in a precision that is always said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offramp.run._card import OUTPUTS, Card, Limits, check_exits, parse_card
from offramp.run._external import check_data
from offramp.run._known import OnlyWay, answer_nothing, outputs_to_ask
from offramp.run._ports import Array, check_inputs, ports_of
from offramp.run._runtime import Answer, DenseAnswer

from ._compiled import ROUNDED as ROUNDED
from ._compiled import CompiledFile
from ._compiled import Precision as Precision
from ._compiled import list_precisions as list_precisions


def load(path: str | Path, *, precision: Precision = "f32", threads: int = 1) -> OpenvinoRuntime:
    """A conditional network from its file, ready to answer.

    Args:
        path: The file, written by `export.onnx.save`.
        precision: Number format to compute in; OpenVINO's own default would be bfloat16 on newer CPUs. "int8" is for
            files with quantizations: these are computed in 8 bits, as they are with "f32", and the rest in f32.
        threads: CPU threads that one call may use: they take shares of a batch, or work together on a small one.

    Returns:
        The network, to be called with inputs and, if others than those of the file are wanted, thresholds.

    Raises:
        DataError: There is no such file.
        OptionError: The CPU does not compute in this precision, or `threads` is not positive.
        EngineError: OpenVINO cannot read the file, or it is not a conditional network of ours.
    """
    file = CompiledFile(path, precision=precision, threads=threads)
    return OpenvinoRuntime(file, precision, threads)


def load_dense(path: str | Path, *, precision: Precision = "f32", threads: int = 1) -> OpenvinoDense:
    """The dense twin of a network, which runs every exit for every sample; errors as for `load`.

    Args:
        path: Written by `export.onnx.save` with `dense=True`.
        precision: Number format to compute in, as for `load`.
        threads: Number of CPU threads that one call may use.

    Returns:
        The network, to be called with inputs.
    """
    return OpenvinoDense(CompiledFile(path, precision=precision, threads=threads))


def load_static(path: str | Path, *, precision: Precision = "f32", threads: int = 1) -> OpenvinoStatic:
    """A plain network without gates; errors as for `load`.

    Its call is as cheap as ours can be: it serves as baseline and as ideal.

    Args:
        path: An ONNX file without gates, whose outputs include `logits`.
        precision: Number format to compute in, as for `load`.
        threads: Number of CPU threads that one call may use.

    Returns:
        The network, to be called with inputs; it gives logits [B, K].
    """
    return OpenvinoStatic(CompiledFile(path, precision=precision, threads=threads))


def load_values(path: str | Path, *, precision: Precision = "f32", threads: int = 1) -> OpenvinoValues:
    """Any file whose outputs are wanted by name, such as one whose inner values were made outputs.

    Errors as for `load`.

    Args:
        path: Any ONNX file.
        precision: Number format to compute in, as for `load`.
        threads: Number of CPU threads that one call may use.

    Returns:
        The network, to be called with inputs; it gives all outputs by name.
    """
    return OpenvinoValues(CompiledFile(path, precision=precision, threads=threads))


class OpenvinoRuntime:
    """A conditional network that OpenVINO runs; made by `load`.

    Args:
        file: The compiled file.
        precision: What it computes in.
        threads: Number of CPU threads that one call may use.
    """

    engine = "openvino"

    def __init__(self, file: CompiledFile, precision: Precision, threads: int) -> None:
        self._file = file
        self.precision: str = precision
        self.threads = threads
        self.card: Card = parse_card(file.card, file.path, dense=False)
        check_data(self.card, file.path)
        self._ports = ports_of(self.card["inputs"])
        self._limits = Limits(self.card)
        outputs = outputs_to_ask(self.card)
        self._only = OnlyWay(self.card) if outputs != OUTPUTS else None
        if self._only:
            file.keep(outputs)
        self._ordered = itemgetter(*map(file.outputs.index, outputs))

    def __call__(self, inputs: Mapping[str, Array], thresholds: NDArray[np.float32] | None = None) -> Answer:
        """Answer a batch; without `thresholds` those that the file has chosen apply.

        Raises:
            DataError: The inputs do not fit the network.
            ThresholdError: Not as many thresholds as gates, or one is NaN.
            EngineError: OpenVINO failed, or no exit ran for some sample.
        """
        rows, arrays = check_inputs(self._ports, inputs)
        limits = self._limits(thresholds)
        if not rows:
            return answer_nothing(self.card)
        results = self._file(rows, [*arrays, limits] if len(limits) else arrays)
        if self._only:
            return self._only(*results)
        logits, taken, score, route = self._ordered(results)
        check_exits(taken)
        return Answer(logits=logits, exit=taken, score=score, route=route)


class OpenvinoDense:
    """A network that runs every exit for every sample; made by `load_dense`.

    Args:
        file: The compiled file.
    """

    def __init__(self, file: CompiledFile) -> None:
        self._file = file
        self.card: Card = parse_card(file.card, file.path, dense=True)
        check_data(self.card, file.path)
        self._ports = ports_of(self.card["inputs"])

    def __call__(self, inputs: Mapping[str, Array]) -> DenseAnswer:
        """Give what all exits say of a batch; errors as for the conditional network."""
        rows, arrays = check_inputs(self._ports, inputs)
        results = dict(zip(self._file.outputs, self._file(rows, arrays), strict=True))
        logits = results.pop("exit_logits")
        return DenseAnswer(
            logits=logits, scores={name.removeprefix("scores/"): score for name, score in results.items()}
        )


class OpenvinoStatic:
    """A plain network; made by `load_static`.

    Args:
        file: The compiled file.
    """

    def __init__(self, file: CompiledFile) -> None:
        self._file = file
        self._ports = file.ports
        self._logits = file.outputs.index("logits") if "logits" in file.outputs else 0

    def __call__(self, inputs: Mapping[str, Array]) -> NDArray[np.float32]:
        """Logits of a batch [B, K]; errors as for the conditional network."""
        rows, arrays = check_inputs(self._ports, inputs)
        logits: NDArray[np.float32] = self._file(rows, arrays)[self._logits]
        return logits


class OpenvinoValues:
    """A file of which all outputs are wanted; made by `load_values`.

    Args:
        file: The compiled file.
    """

    def __init__(self, file: CompiledFile) -> None:
        self._file = file
        self._ports = file.ports

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs of a batch by name; errors as for the conditional network."""
        rows, arrays = check_inputs(self._ports, inputs)
        return dict(zip(self._file.outputs, self._file(rows, arrays), strict=True))
