"""Runs graphs with PyTorch, on any device: for training, for checks, and where no other engine is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from offramp.errors import EngineError, OptionError
from offramp.graph import Graph, Node
from offramp.nn import Executor, Outcome
from offramp.run._card import Card, Limits, check_exits
from offramp.run._known import answer_nothing
from offramp.run._ports import Array, Port, check_inputs
from offramp.run._runtime import Answer, DenseAnswer

from ._buckets import Buckets

SHAPES = 64  # for so many sizes of each body PyTorch compiles; then it would run them uncompiled, in silence


def load(
    graph: Graph, *, device: str = "cpu", threads: int | None = None, compile: bool = False,
    buckets: Sequence[int] | None = None,
) -> TorchRuntime:  # fmt: skip
    """A graph ready to answer.

    During a call the host waits for the device once per exit, to learn how many rows go on, and once for the answer.

    Args:
        graph: A graph whose bodies are `nn.Module`s; copies of them run in eval mode.
        device: The device, as PyTorch names it, such as "cpu" or "cuda:0".
        threads: CPU threads during a call; None leaves PyTorch's setting.
        compile: Compile each body with `torch.compile`, for fixed sizes: anew, which takes seconds, for each number of
            rows that it meets. On the CPU this needs a C++ compiler.
        buckets: Numbers of rows behind an exit: fewer are filled up to the next of them, or to the whole batch if that
            is smaller. None: powers of two if compiled, else as many rows as go on.

    Returns:
        The network, to be called with inputs and thresholds.

    Raises:
        GraphError: A body is missing or is no module.
        OptionError: There is no such device, or `threads` or a bucket is not positive.
    """
    return TorchRuntime(graph, device, threads, compile=compile, buckets=buckets)


def load_dense(graph: Graph, *, device: str = "cpu", threads: int | None = None) -> TorchDense:
    """A graph that runs every exit for every sample; errors as for `load`.

    Args:
        graph: Its bodies are `nn.Module`s; copies of them run in eval mode.
        device: Name of the device, as PyTorch writes it, such as "cpu" or "cuda:0".
        threads: Number of CPU threads during a call; None leaves PyTorch's setting.

    Returns:
        The network, to be called with inputs.
    """
    return TorchDense(graph, device, threads)


class _Session:
    """An executor on a device, with a number of threads that only applies during a call."""

    def __init__(self, graph: Graph, device: str, threads: int | None) -> None:
        if threads is not None and threads < 1:
            raise OptionError(f"threads must be at least 1, but is {threads}. Choose 1 if in doubt.")
        try:
            self.device = torch.device(device)
            self.executor = Executor(graph.with_bodies(copy.deepcopy(dict(graph.bodies)))).to(self.device).eval()
        except (RuntimeError, AssertionError) as error:
            raise OptionError(f"expected a device that PyTorch has, got {device!r} ({error}): choose cpu.") from error
        self.threads = threads
        self._many_shapes: Callable[[], AbstractContextManager[None]] = nullcontext
        self.ports = tuple(_port(node) for node in graph.inputs)

    def compile(self) -> None:
        """Compile each body; what it computes stays the same but for rounding."""
        for name, body in self.executor.bodies.items():
            self.executor.bodies[name] = cast(nn.Module, torch.compile(body, dynamic=False))  # an OptimizedModule
        many = SHAPES * len(self.executor.bodies)  # PyTorch counts all modules of a process together
        limits: dict[str, Any] = {"recompile_limit": many, "accumulated_recompile_limit": many}
        self._many_shapes = partial(torch._dynamo.config.patch, **limits)

    def bind(self, inputs: Mapping[str, Array]) -> dict[str, Tensor]:
        _, arrays = check_inputs(self.ports, inputs)
        pairs = zip(self.ports, arrays, strict=True)
        return {port.name: torch.tensor(array, device=self.device) for port, array in pairs}

    @contextmanager
    def calling(self) -> Iterator[None]:
        """No gradients, our number of threads; foreign errors translated."""
        before = torch.get_num_threads()
        try:
            if self.threads is not None:
                torch.set_num_threads(self.threads)
            with torch.inference_mode(), self._many_shapes():
                yield
        except RuntimeError as error:
            raise EngineError(f"PyTorch cannot run this graph ({error}): look at the node that it names.") from error
        finally:
            torch.set_num_threads(before)


class TorchRuntime:
    """A conditional network that PyTorch runs; made by `load`.

    Args:
        graph: Its bodies are `nn.Module`s; copies of them run in eval mode.
        device: Name of the device, as PyTorch writes it, such as "cpu" or "cuda:0".
        threads: Number of CPU threads during a call; None leaves PyTorch's setting.
        compile: True compiles each body, for fixed sizes.
        buckets: Numbers of rows to which the rows behind an exit are filled up; see `load`.
    """

    engine = "torch"
    precision = "f32"

    def __init__(
        self, graph: Graph, device: str, threads: int | None, *, compile: bool, buckets: Sequence[int] | None
    ) -> None:
        self._buckets = Buckets(buckets) if compile or buckets is not None else None
        self._session = _Session(graph, device, threads)
        if compile:
            self._session.compile()
        self.threads = threads or torch.get_num_threads()
        self.card: Card = _describe(graph)
        self._limits = Limits(self.card)

    def __call__(self, inputs: Mapping[str, Array], thresholds: NDArray[np.float32] | None = None) -> Answer:
        """Answer a batch; without `thresholds` no sample leaves early.

        Raises:
            DataError: The inputs do not fit the network.
            ThresholdError: Not as many thresholds as gates, or one is NaN.
            EngineError: PyTorch failed, or no exit ran for some sample.
        """
        given = self._session.bind(inputs)
        limits = torch.tensor(self._limits(thresholds))  # on the CPU: the device takes them as they are
        rows = len(next(iter(given.values())))
        if not rows:
            return answer_nothing(self.card)
        room = None if self._buckets is None else partial(self._buckets, batch=rows)
        with self._session.calling():
            outcome = self._session.executor.route(given, limits, room=room)
            answer = _fetch(outcome)
        check_exits(answer.exit)
        return answer


class TorchDense:
    """A graph that runs every exit for every sample; made by `load_dense`.

    Args:
        graph: Its bodies are `nn.Module`s; copies of them run in eval mode.
        device: Name of the device, as PyTorch writes it, such as "cpu" or "cuda:0".
        threads: Number of CPU threads during a call; None leaves PyTorch's setting.
    """

    def __init__(self, graph: Graph, device: str, threads: int | None) -> None:
        self._session = _Session(graph, device, threads)
        self._exits = [exit.name for exit in graph.exits]
        self._classes: int = graph[graph.answer].outputs[0].shape[0]
        self._scores: dict[str, list[str]] = {}
        for exit in graph.exits:
            for name, node in exit.scores.items():
                self._scores.setdefault(name, []).append(node.name)

    def __call__(self, inputs: Mapping[str, Array]) -> DenseAnswer:
        """Give what all exits say of a batch; errors as for the conditional network."""
        given = self._session.bind(inputs)
        if not len(next(iter(given.values()))):
            return self._answer_nothing()
        with self._session.calling():
            values = self._session.executor.dense(given)
        return DenseAnswer(
            logits=_stack(values, self._exits),
            scores={name: _stack(values, nodes) for name, nodes in self._scores.items()},
        )

    def _answer_nothing(self) -> DenseAnswer:
        scores = {name: np.empty((0, len(nodes)), np.float32) for name, nodes in self._scores.items()}
        return DenseAnswer(logits=np.empty((0, len(self._exits), self._classes), np.float32), scores=scores)


def _fetch(outcome: Outcome) -> Answer:
    """Bring an answer to the host in one piece."""
    numbers = torch.stack([outcome.exit, *outcome.route.unbind(1)], dim=1)
    columns = torch.cat([outcome.logits.float(), outcome.score[:, None], numbers.float()], dim=1)
    array = _array(columns)
    classes = outcome.logits.shape[1]
    return Answer(
        logits=array[:, :classes].copy(),
        exit=array[:, classes + 1].astype(np.int64),
        score=array[:, classes].copy(),
        route=array[:, classes + 2 :].astype(np.int64),
    )


def _describe(graph: Graph) -> Card:
    """What the metadata of the graph's file would say, as far as a runtime reads it."""
    return {
        "classes": graph[graph.answer].outputs[0].shape[0],
        "exits": [exit.name for exit in graph.exits],
        "inputs": {port.name: {"shape": list(port.shape), "dtype": port.dtype} for port in map(_port, graph.inputs)},
        "controls": [{"name": node.name, "edges": list(node.edges)} for node in graph.controls],
        "gates": [
            {"name": node.name, "direction": gate.direction, "stop_all": gate.stop_all, "stop_none": gate.stop_none}
            for node in graph.gates
            if (gate := node.gate) is not None
        ],
    }


def _port(node: Node) -> Port:
    return Port(name=node.name, shape=node.outputs[0].shape, dtype=node.outputs[0].dtype)


def _stack(values: Mapping[str, tuple[Tensor, ...]], names: Sequence[str]) -> NDArray[np.float32]:
    return _array(torch.stack([values[name][0].float() for name in names], dim=1))


def _array(tensor: Tensor) -> NDArray[Any]:  # Any: the tensor's element type
    array: NDArray[Any] = tensor.cpu().numpy()
    return array
