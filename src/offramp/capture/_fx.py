"""Capture by symbolic tracing: layers stay layers, weights keep their names, and training mode means something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from ._answer import Path, pick
from ._inplace import make_out_of_place
from ._inputs import Inputs
from ._leaves import find_mode_dependent, is_layer, list_work, reads_training
from ._trace import Trace, copy_sharing_weights, module_from_graph, without_dead_code

_ATTEMPTS = 20  # each keeps one more class of modules whole


class TraceFailure(Exception):
    """Symbolic tracing stopped; `path` is the innermost module that it stopped in."""

    def __init__(self, path: str, reason: Exception) -> None:
        super().__init__(f"{type(reason).__name__}: {reason}")
        self.path = path


class _Tracer(fx.Tracer):
    """Keeps layers and the named modules whole, calls the model as the example does, and takes its logits."""

    def __init__(self, inputs: Inputs, answer: Path, whole: set[str]) -> None:
        super().__init__(param_shapes_constant=True)
        self.inputs, self.answer = inputs, answer
        self.whole = whole
        self.stopped_in: str | None = None
        self.calls: list[tuple[str, str]] = []

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name in self.whole or is_layer(m)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        around = [path for path, _ in self.module_stack.values()]
        self.calls.append((around[-1] if around else "", self.path_of_module(m)))
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.stopped_in = self.path_of_module(m) if self.stopped_in is None else self.stopped_in
            raise

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Callable[..., Any], list[Any]]:
        names = self.inputs.names
        proxies = [self.create_proxy("placeholder", name, (), {}) for name in names]

        def call(root: nn.Module, *values: Any) -> Any:
            given = dict(zip(names, values, strict=True))
            return pick(root_fn(root, **given) if self.inputs.keyword else root_fn(root, *values), self.answer)

        return call, [self.root, *proxies]


def trace_symbolically(model: nn.Module, inputs: Inputs, answer: Path = (), *, whole: bool = False) -> Trace:
    """Trace a model that may be kept (it becomes part of the result).

    Args:
        model: Network in evaluation mode.
        inputs: What it is called with.
        answer: Path from its answer to the logits.
        whole: True keeps every module whole whose inside cannot be traced, not only layers and those that read
            `training`.

    Returns:
        The network as one graph of layers and operations.

    Raises:
        TraceFailure: The model's own code cannot be traced.
    """
    kept: set[str] = set()
    different = {""}
    try:
        training, there = _trace_keeping(copy_sharing_weights(model).train(), inputs, answer, kept, whole=whole)
        evaluation, here = _trace_keeping(model, inputs, answer, kept, whole=whole)
        different = find_mode_dependent(list_work(training, there), list_work(evaluation, here))
    except TraceFailure:
        pass  # then training mode is out of reach, but evaluation mode may still be traced
    kept |= different - {""}
    graph, _ = _trace_keeping(model, inputs, answer, kept, whole=whole)
    _drop_assertions(graph)
    _turn_off_inplace(model)
    make_out_of_place(graph)
    module = without_dead_code(module_from_graph(model, graph, type(model).__name__))
    return Trace(module=module, eval_only="" in different)


def _trace_keeping(
    model: nn.Module, inputs: Inputs, answer: Path, kept: set[str], *, whole: bool
) -> tuple[fx.Graph, list[tuple[str, str]]]:
    """Trace, and list the calls; if that stops in a module that may be kept whole, keep its likes and start again."""
    for _ in range(_ATTEMPTS):
        tracer = _Tracer(inputs, answer, kept)
        try:
            with torch.no_grad():
                return tracer.trace(model), tracer.calls
        except Exception as reason:  # any code of the user's may have raised anything
            path = tracer.stopped_in or ""
            stopped = _outermost_reader(model, path, whole=whole)
            if stopped is None:
                raise TraceFailure(path, reason) from reason
            kind = type(model.get_submodule(stopped))
            kept |= {name for name, module in model.named_modules() if name and type(module) is kind}
    raise TraceFailure("", RecursionError("too many kinds of modules cannot be traced"))


def _outermost_reader(model: nn.Module, path: str, *, whole: bool) -> str | None:
    """The module to keep whole when tracing stops at `path`: itself, or the nearest around it that reads `training`."""
    if not path:
        return None
    stopped = model.get_submodule(path)
    if whole or reads_training(stopped) or not any(True for _ in stopped.children()):
        return path
    around = path.rpartition(".")[0]
    while around:
        if reads_training(model.get_submodule(around)):
            return around
        around = around.rpartition(".")[0]
    return None


def _drop_assertions(graph: fx.Graph) -> None:
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target is torch._assert:
            graph.erase_node(node)


def _turn_off_inplace(model: nn.Module) -> None:
    for module in model.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]  # ReLU and its likes
