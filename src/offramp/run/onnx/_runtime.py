"""Runs files with ONNX Runtime on the CPU; by default as segments lifted from the file, which it optimizes better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from offramp.errors import EngineError, OptionError
from offramp.run._card import CARD_KEY, OUTPUTS, Card, Limits, check_exits, check_file, find_card, parse_card
from offramp.run._external import asks_for_data, check_data, missing_data
from offramp.run._known import OnlyWay, answer_nothing, outputs_to_ask
from offramp.run._ports import Array, check_inputs, ports_of
from offramp.run._runtime import Answer, DenseAnswer
from offramp.run._samples import bind

from ._alone import network_alone as network_alone
from ._fusible import make_fusible as make_fusible
from ._lift import Branch, Segment, Steps, lift


def load(path: str | Path, *, threads: int = 1, staged: bool = True, fusible: bool = True) -> OnnxRuntime:
    """A conditional network from its file, ready to answer.

    Args:
        path: The file, written by `export.onnx.save`.
        threads: CPU threads that one call may use.
        staged: Run the bodies of the file's `If`s as models of their own; False runs the file whole, as others would.
        fusible: Put a convolution by one in front of the shortcuts that keep ONNX Runtime from folding a chain of
            residual blocks; not in files that are run whole.

    Returns:
        The network, to be called with inputs and, if others than those of the file are wanted, thresholds.

    Raises:
        DataError: There is no such file.
        OptionError: `threads` is not positive.
        EngineError: ONNX Runtime cannot read the file, or it is not a conditional network of ours.
    """
    return OnnxRuntime(check_file(path), threads, staged, fusible)


def load_dense(path: str | Path, *, threads: int = 1, fusible: bool = True) -> OnnxDense:
    """The dense twin of a network, which runs every exit for every sample; errors as for `load`.

    Args:
        path: Written by `export.onnx.save` with `dense=True`.
        threads: Number of CPU threads that one call may use.
        fusible: As for `load`.

    Returns:
        The network, to be called with inputs.
    """
    return OnnxDense(check_file(path), threads, fusible)


def load_values(path: str | Path, *, threads: int = 1) -> OnnxValues:
    """Any file whose outputs are wanted by name, such as one whose inner values were made outputs.

    Errors as for `load`.

    Args:
        path: Any ONNX file.
        threads: Number of CPU threads that one call may use.

    Returns:
        The network, to be called with inputs; it gives all outputs by name.
    """
    return OnnxValues(check_file(path), threads)


class OnnxRuntime:
    """A conditional network that ONNX Runtime runs; made by `load`.

    Args:
        path: Written by `export.onnx.save`.
        threads: Number of CPU threads that one call may use.
        staged: True runs the bodies of the file's `If`s as models of their own.
        fusible: True puts a convolution by one in front of shortcuts that keep ONNX Runtime from folding blocks.
    """

    engine = "onnxruntime"

    def __init__(self, path: Path, threads: int, staged: bool, fusible: bool) -> None:
        self._path = path
        self.threads = threads
        with translated(path):
            model = onnx.load(path, load_external_data=False)
            self.card: Card = parse_card(find_card(model), path, dense=False)
            check_data(self.card, path)
            self.precision = "int8" if self.card.get("precision") == "int8" else "f32"  # the file says what is int8
            outputs = outputs_to_ask(self.card) if staged else OUTPUTS
            self._only = OnlyWay(self.card) if outputs != OUTPUTS else None
            self._run: _Staged | _Whole
            if self._only:
                self._run = _Whole(_written(_trimmed(model, outputs), fusible), outputs, threads, path.parent)
            elif staged:
                self._run = _Staged(lift(model), threads, path.parent, fusible)
            else:
                self._run = _Whole(path, OUTPUTS, threads, path.parent)
        self._ports = ports_of(self.card["inputs"])
        self._limits = Limits(self.card)

    def __call__(self, inputs: Mapping[str, Array], thresholds: NDArray[np.float32] | None = None) -> Answer:
        """Answer a batch; without `thresholds` those that the file has chosen apply.

        Raises:
            DataError: The inputs do not fit the network.
            ThresholdError: Not as many thresholds as gates, or one is NaN.
            EngineError: ONNX Runtime failed, or no exit ran for some sample.
        """
        rows, arrays = check_inputs(self._ports, inputs)
        feed = {port.name: array for port, array in zip(self._ports, arrays, strict=True)}
        limits = self._limits(thresholds)
        if not rows:
            return answer_nothing(self.card)
        if len(limits):
            feed["thresholds"] = limits
        with translated(self._path):
            results: list[Any] = self._run(feed)
        if self._only:
            return self._only(*results)
        logits, taken, score, route = results
        check_exits(taken)
        return Answer(logits=logits, exit=taken, score=score, route=route)


class OnnxDense:
    """A network that runs every exit for every sample; made by `load_dense`.

    Args:
        path: Written by `export.onnx.save` with `dense=True`.
        threads: Number of CPU threads that one call may use.
        fusible: As for `OnnxRuntime`.
    """

    def __init__(self, path: Path, threads: int, fusible: bool) -> None:
        self._path = path
        with translated(path):
            model = onnx.load(path, load_external_data=False)
            self._session = _session(_written(model, fusible), threads, path.parent)
        properties = self._session.get_modelmeta().custom_metadata_map
        self.card: Card = parse_card(properties.get(CARD_KEY), path, dense=True)
        check_data(self.card, path)
        self._ports = ports_of(self.card["inputs"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._nothing = [np.empty((0, *output.shape[1:]), np.float32) for output in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, Array]) -> DenseAnswer:
        """Give what all exits say of a batch; errors as for the conditional network."""
        rows, arrays = check_inputs(self._ports, inputs)
        feed = {port.name: array for port, array in zip(self._ports, arrays, strict=True)}
        with translated(self._path):
            found = self._session.run(self._outputs, feed) if rows else self._nothing
        results = dict(zip(self._outputs, found, strict=True))
        logits = results.pop("exit_logits")
        return DenseAnswer(
            logits=logits, scores={name.removeprefix("scores/"): score for name, score in results.items()}
        )


class OnnxValues:
    """A file of which all outputs are wanted; made by `load_values`.

    Args:
        path: Any ONNX file.
        threads: Number of CPU threads that one call may use.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        with translated(path):
            self._session = _session(path, threads, path.parent)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs of a batch by name; errors as for the conditional network."""
        given = bind(inputs, [port.name for port in self._session.get_inputs()])
        with translated(self._path):
            return dict(zip(self._outputs, self._session.run(self._outputs, given), strict=True))


class _Whole:
    """One model."""

    def __init__(self, model: Path | bytes, outputs: Sequence[str], threads: int, folder: Path) -> None:
        self._session, self._outputs = _session(model, threads, folder), list(outputs)

    def __call__(self, feed: Mapping[str, Array]) -> list[Array]:
        results: list[Array] = self._session.run(self._outputs, dict(feed))
        return results


class _Staged:
    """The steps of the file, each segment a session.

    Each session has threads of its own, which by default go on asking for work for a while after a call: they would
    keep the cores from the next segment's.
    """

    def __init__(self, steps: Steps, threads: int, folder: Path, fusible: bool) -> None:
        self._steps = steps
        self._sessions = {
            id(one): _session(_written(one.model, fusible), threads, folder, rest=True) for one in _segments(steps)
        }

    def __call__(self, feed: Mapping[str, Array]) -> list[Array]:
        values = dict(feed)
        self._run(self._steps, values)
        return [values[name] for name in OUTPUTS]

    def _run(self, steps: Steps, values: dict[str, Array]) -> None:
        for step in steps:
            if isinstance(step, Segment):
                feed = {name: values[name] for name in step.reads}
                values.update(zip(step.gives, self._sessions[id(step)].run(step.gives, feed), strict=True))
                continue
            open_ = bool(values[step.condition])
            self._run(step.then if open_ else step.otherwise, values)
            results = step.then_results if open_ else step.otherwise_results
            values.update({name: values[result] for name, result in zip(step.gives, results, strict=True)})


def _segments(steps: Steps) -> Iterator[Segment]:
    for step in steps:
        if isinstance(step, Branch):
            yield from _segments(step.then)
            yield from _segments(step.otherwise)
        else:
            yield step


def _session(
    model: Path | bytes, threads: int, folder: Path, *, rest: bool = False
) -> Any:  # Any: ONNX Runtime has no types
    """A session; weights outside the model are in `folder`; `rest` lets threads sleep as soon as a call is done."""
    if threads < 1:
        raise OptionError(f"threads must be at least 1, but is {threads}. Choose 1 if in doubt.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    if rest:
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if isinstance(model, bytes):  # of a model that it reads itself it knows the folder
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder.absolute()))
    given = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def _written(model: onnx.ModelProto, fusible: bool) -> bytes:
    """The model as a session reads it."""
    if fusible:
        make_fusible(model)
    content: bytes = model.SerializeToString()
    return content


def _trimmed(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """The model with these of its outputs; ONNX Runtime drops what led to the others."""
    kept = [output for output in model.graph.output if output.name in outputs]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return model


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Give whatever ONNX Runtime or the reader of the file raises as an EngineError.

    Args:
        path: The file that is run; errors name it.

    Yields:
        Nothing; inside, what ONNX Runtime raises becomes an `EngineError`.
    """
    try:
        yield
    except (EngineError, OptionError):
        raise
    except Exception as error:  # its exceptions share no parent but this one
        if asks_for_data(error):
            raise missing_data(path) from error
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
        raise EngineError(
            f"ONNX Runtime cannot run {path} ({first[:200]}): export it anew, or try run.openvino."
        ) from error
