"""What each node of a captured network gives: shape, dtype, cost, and how it depends on the batch."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from offramp.graph import Tensor
from offramp.measure.torch import counting

from ._inputs import Inputs
from ._trace import Trace, copy_sharing_weights

Role = Literal["rows", "shared", "size", "free", "other"]
_BATCHES = (2, 3)
_MEASURES = {"shape", "ndim", "dtype", "device", "size", "dim", "numel", "__len__", "nelement"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a node gives.

    Attributes:
        role: "rows": a tensor with the batch first. "shared": a tensor without batch that depends on the inputs.
            "size": numbers derived from shapes. "free": depends on weights and sizes alone, so any stage can make it.
            "other": none of these; it cannot be carried.
        tensor: Type and shape, for "rows" and "shared".
        sizes: What was seen with each of the two batches, for "size".
        macs: Multiply-accumulates per sample that making it costs.
        uncounted: Operations in it whose cost is unknown.
    """

    role: Role
    tensor: Tensor | None = None
    sizes: tuple[Any, Any] | None = None  # Any: numbers, devices, and tuples of them
    macs: int = 0
    uncounted: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Seen:
    """One run with one batch: what each node gave, and what that cost."""

    results: dict[fx.Node, Any] = field(default_factory=dict)
    macs: dict[fx.Node, int] = field(default_factory=dict)
    uncounted: dict[fx.Node, frozenset[str]] = field(default_factory=dict)


class _Watcher(fx.Interpreter):
    """Runs a graph node by node and keeps descriptions of all results."""

    def watch(self, *args: Any) -> _Seen:
        self.seen = _Seen()
        with counting() as self.counter:
            self.run(*args)
        return self.seen

    def run_node(self, n: fx.Node) -> Any:
        before, known = self.counter.macs, frozenset(self.counter.uncounted)
        result = super().run_node(n)
        self.seen.macs[n] = self.counter.macs - before
        self.seen.uncounted[n] = frozenset(self.counter.uncounted - known)
        self.seen.results[n] = _described(result)
        return result

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        module = self.fetch_attr(str(target))
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) and isinstance(args[0], FakeTensor):
            return torch.empty_like(args[0])  # taken apart on shapes, it would cost most of the time
        return super().call_module(target, args, kwargs)


def find_values(trace: Trace, inputs: Inputs) -> Mapping[fx.Node, Value]:
    """What each node gives, found by running the network with two batch sizes, on shapes alone where that works."""
    first, second = (_watch(trace, inputs.rows(count)) for count in _BATCHES)
    values: dict[fx.Node, Value] = {}
    for node in trace.module.graph.nodes:
        if node.op != "output":
            pair = first.results[node], second.results[node]
            macs = first.macs[node] // _BATCHES[0]
            values[node] = replace(_judge(node, pair, macs, values), uncounted=first.uncounted[node])
    return values


def scale_with_batch(seen: tuple[int, int]) -> int | None:
    """How many times the batch a number was, both times; None if it does not grow like that."""
    times = seen[0] // _BATCHES[0]
    return times if (times * _BATCHES[0], times * _BATCHES[1]) == seen else None


def _watch(trace: Trace, inputs: Inputs) -> _Seen:
    # A copy: modules that cache what they see would keep tensors without values.
    watcher = _Watcher(copy_sharing_weights(trace.module), graph=trace.module.graph)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True) as fake:
            return watcher.watch(*(fake.from_tensor(tensor) for tensor in inputs.tensors))
    except Exception:  # whatever an operation without a rule for shapes raises: then run it in earnest
        return _Watcher(trace.module).watch(*inputs.tensors)


def _described(result: Any) -> Any:
    """The result with shapes and types for tensors, so that nothing large is kept."""
    if isinstance(result, torch.Tensor):
        return Tensor(shape=tuple(result.shape), dtype=str(result.dtype).removeprefix("torch."), row_wise=False)
    if isinstance(result, (tuple, list)):
        return tuple(_described(item) for item in result)
    return result


def _judge(node: fx.Node, pair: tuple[Any, Any], macs: int, values: Mapping[fx.Node, Value]) -> Value:
    sources = [values[source].role for source in node.all_input_nodes]
    independent = node.op != "placeholder" and all(role in ("free", "size") for role in sources)
    if node.op == "placeholder" or isinstance(pair[0], Tensor):
        return Value(role="free", macs=macs) if independent else _judge_tensor(pair, macs)
    if _is_measure(node) or (independent and sources):
        if is_size(pair):
            return Value(role="size", sizes=pair, macs=macs)
        return Value(role="free" if independent else "other", macs=macs)
    return Value(role="free" if independent else "other", macs=macs)


def _judge_tensor(pair: tuple[Any, Any], macs: int) -> Value:
    first, second = pair
    if not isinstance(first, Tensor) or len(first.shape) != len(second.shape):
        return Value(role="other", macs=macs)
    if first.shape == second.shape:
        return Value(role="shared", tensor=first, macs=macs)
    if (first.shape[0], second.shape[0]) == _BATCHES and first.shape[1:] == second.shape[1:]:
        return Value(role="rows", tensor=Tensor(shape=first.shape[1:], dtype=first.dtype), macs=macs)
    return Value(role="other", macs=macs)


def _is_measure(node: fx.Node) -> bool:
    """True if a node only asks for a shape, a type or a device."""
    if node.op == "call_method":
        return node.target in _MEASURES
    if node.target is getattr:
        return node.args[1] in _MEASURES
    return node.target in (len, torch.ops.aten.sym_size.int, torch.ops.aten.sym_numel.default)


def is_size(pair: tuple[Any, Any]) -> bool:
    """True if each number in both results is the same, or grows with the batch."""
    first, second = pair
    if isinstance(first, (tuple, list)):
        return len(first) == len(second) and all(map(is_size, zip(first, second, strict=True)))
    if isinstance(first, int) and not isinstance(first, bool):
        return first == second or scale_with_batch((first, second)) is not None
    return not isinstance(first, Tensor) and bool(operator.eq(first, second))
