"""Networks that compute in other numbers than float32: taken over into it, or refused."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode

from offramp.errors import CaptureError, OfframpWarning

from ._inputs import Inputs
from ._trace import Trace

ROUNDING: Mapping[torch.dtype, float] = {  # by which a network of this kind may differ from itself in float32
    torch.float64: 0.0, torch.float16: 1e-2, torch.bfloat16: 6e-2,
}  # fmt: skip
_CASTS = ("half", "bfloat16", "double")
_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.sparse.quantized", "torchao.")


class Watch(TorchDispatchMode):
    """Remembers in which numbers other than float32 something was computed.

    Attributes:
        seen: The types that were seen, of tensors with at least one axis.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch's own
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:  # Any: as PyTorch has it
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor) and tensor.dtype in ROUNDING and tensor.ndim:
                self.seen.add(tensor.dtype)
        return result


def refuse_other_numbers(model: nn.Module) -> None:
    """Refuse networks whose weights are not real floating-point numbers.

    Args:
        model: Network to look at.

    Raises:
        CaptureError: Weights are complex, or quantized already.
    """
    quantized = [
        name or "itself" for name, module in model.named_modules() if type(module).__module__.startswith(_QUANTIZED)
    ]
    weights = [*model.named_parameters(), *model.named_buffers()]
    quantized += [name for name, weight in weights if weight.is_quantized]
    quantized += [name for name, weight in model.named_parameters() if not _has_point(weight)]
    if quantized:
        raise CaptureError(
            f"{type(model).__name__} must be in float, but {quantized[0]} is quantized. Give the network before that, "
            "and quantize it here: engine.precision=int8.",
            about=["engine.precision="],
        )
    complex_ones = [name for name, weight in weights if weight.is_complex()]
    if complex_ones:
        raise CaptureError(
            f"{type(model).__name__} must have real weights, but {complex_ones[0]} is complex. "
            "Write its real and imaginary parts as two tensors."
        )


def in_float32(model: nn.Module) -> nn.Module:
    """A copy of a network whose weights are float32.

    Args:
        model: Network with weights of any floating-point type.

    Returns:
        The copy; the network stays as it is.
    """
    return copy.deepcopy(model).float()


def other_floats(model: nn.Module) -> frozenset[torch.dtype]:
    """The types other than float32 that a network's floating-point weights have.

    Args:
        model: Network to look at.

    Returns:
        Those of float16, bfloat16 and float64 that occur.
    """
    return frozenset({weight.dtype for weight in (*model.parameters(), *model.buffers())} & ROUNDING.keys())


def inputs_in_float32(inputs: Inputs) -> Inputs:
    """The same inputs with all floating-point tensors in float32.

    Args:
        inputs: Inputs of any type.

    Returns:
        The inputs; whole numbers keep their type.
    """
    tensors = tuple(tensor.float() if tensor.dtype in ROUNDING else tensor for tensor in inputs.tensors)
    return replace(inputs, tensors=tensors)


def trace_in_float32(trace: Trace) -> Trace:
    """The same operations on float32: weights, constants, and what casts to another type.

    Args:
        trace: Captured network; its module is changed.

    Returns:
        The captured network.
    """
    module = trace.module.float()
    for node in module.graph.nodes:
        if node.op == "get_attr":
            _widen_constant(module, str(node.target))
        elif node.op != "output":
            if node.op == "call_method" and node.target in _CASTS:
                node.target = "float"
            node.args, node.kwargs = _widened(node.args), _widened(node.kwargs)
    module.recompile()
    return replace(trace, module=module)


def warn_of_floats(name: str, seen: Iterable[torch.dtype]) -> None:
    """Warn that a network's file will compute in other numbers than the network.

    Args:
        name: Name of the network, for the warning.
        seen: Types other than float32 that it computes in; none gives no warning.
    """
    found = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in seen))
    if found:
        warnings.warn(
            f"{name} computes in {found}; offramp works in float32, and so will the file. "
            "What counts as its answer is rounded otherwise by as much.",
            OfframpWarning,
            stacklevel=3,
        )


def _has_point(weight: Tensor) -> bool:
    return weight.is_floating_point() or weight.is_complex() or weight.dtype not in (torch.int8, torch.uint8)


def _widen_constant(module: fx.GraphModule, target: str) -> None:
    """A tensor that is neither a parameter nor a buffer, which `float()` leaves as it is."""
    path, _, name = target.rpartition(".")
    owner = module.get_submodule(path)
    value = getattr(owner, name)
    if isinstance(value, Tensor) and value.dtype in ROUNDING:
        setattr(owner, name, value.float())


def _widened(arguments: Any) -> Any:  # Any: what operations take
    return fx.node.map_aggregate(arguments, lambda one: torch.float32 if _is_other_float(one) else one)


def _is_other_float(one: object) -> bool:
    return isinstance(one, torch.dtype) and one in ROUNDING
