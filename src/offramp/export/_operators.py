"""PyTorch's tables of operators, made once for all bodies.

In each call `torch.onnx.export` reads the source of some 500 operators anew, and looks up all that are composed of
others: twice the work of writing a small body. There is no public way to keep these tables, so this stands on private
names of PyTorch. Where a version lacks one, each export makes that table itself, as before.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, ClassVar  # Any: of what is private in PyTorch there are no types

import torch


@contextmanager
def shared_operators() -> Iterator[None]:
    """While this is open, exports share their tables of operators; afterwards PyTorch is as it was.

    Example:
        >>> with shared_operators():
        ...     program = torch.onnx.export(torch.nn.ReLU().eval(), (torch.zeros(1),), dynamo=True, verbose=False)
        >>> len(program.model.graph)
        1
    """
    with ExitStack() as undo:
        registry = getattr(_find("torch.onnx._internal.exporter._registration"), "ONNXRegistry", None)
        _replace(registry, "from_torchlib", lambda made: staticmethod(functools.partial(_share, made)), undo)
        _replace(_find("torch._export.utils"), "_materialize_cpp_cia_ops", _Lookup, undo)
        yield


def _find(module: str) -> object:
    """A module of PyTorch, or None if this version lacks it."""
    try:
        return import_module(module)
    except ImportError:
        return None


def _replace(owner: object, name: str, wrap: Callable[[Any], object], undo: ExitStack) -> None:
    """Put a wrapped attribute in place of one that is there, until the stack is closed."""
    if hasattr(owner, name):
        kept = vars(owner)[name]
        undo.callback(setattr, owner, name, kept)
        setattr(owner, name, wrap(getattr(owner, name)))


_REGISTRIES: dict[object, Any] = {}


def _share(make: Callable[..., Any], **options: Any) -> Any:
    """A registry of operators with lists of its own, since an export may add to them, but made of shared entries."""
    key = (*options.items(), hasattr(torch.ops.torchvision, "nms"))  # whose operators are there only once it is loaded
    if key not in _REGISTRIES:
        _REGISTRIES[key] = make(**options)
    registry = copy.copy(_REGISTRIES[key])
    registry.functions = {operator: list(forms) for operator, forms in registry.functions.items()}
    return registry


class _Lookup:
    """Looks the composed operators up only if others are registered than the last time."""

    known: ClassVar[list[str]] = []

    def __init__(self, look_up: Callable[[], None]) -> None:
        self._look_up = look_up

    def __call__(self) -> None:
        registered = torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd")
        if registered != _Lookup.known:
            self._look_up()
            _Lookup.known = registered
