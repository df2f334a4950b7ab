"""What a module computes, as a key: modules that are equal in all that matters have the same one."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType
from typing import Any

import torch
from torch import fx, nn
from torch.fx.immutable_collections import immutable_dict, immutable_list

_PLAIN = (type(None), type(...), bool, int, float, complex, str, bytes)
_SETTINGS = (torch.dtype, torch.device, torch.layout, torch.memory_format)  # their text says all
_TENSORS = (torch.Tensor, nn.Parameter, nn.Buffer)
_SEQUENCES = (tuple, list, torch.Size, immutable_list)
_SETS = (set, frozenset)
_MAPPINGS = (dict, OrderedDict, MappingProxyType, immutable_dict)
_USUAL = [(name, getattr(object, name)) for name in ("__reduce_ex__", "__reduce__", "__getstate__")]
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")  # what they do is part of what a module computes
_IDLE = {  # of any module: what plays no part in a forward pass in eval mode
    "training", "_non_persistent_buffers_set", "_backward_pre_hooks", "_backward_hooks", "_is_full_backward_hook",
    "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
}  # fmt: skip
_TRACED = {  # of a module that torch.fx made: its graph says all of it
    "_graph", "_code", "_lineno_map", "_prologue_start", "_tracer_cls", "_tracer_extras", "_graphmodule_cls_name",
    "meta", "_replace_hooks", "_create_node_hooks", "_erase_node_hooks", "_deepcopy_hooks", "shape_env",
}  # fmt: skip


class Content:
    """A digest of a module, and the objects by whose identity it goes.

    Types, weights, buffers and every other attribute count, of all modules inside; of a module that torch.fx made, the
    operations of its graph; of a function that was made inside another one, its code and what that refers to. Whatever
    has no content that is known, such as a handle of a library, counts by its identity: modules that compute the same
    may then have different digests, but never the other way round. It takes about as long as SHA-256 of the weights.

    Args:
        module: Any; its training mode and the device of its weights do not count.

    Attributes:
        digest: 32 bytes. Equal digests mean equal answers, as long as `held` is kept.
        held: Objects that count by identity. Whoever keeps a digest must keep these too, so that no other object can
            get the identity of one of them.

    Example:
        >>> first, second = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, stride=2)
        >>> _ = second.load_state_dict(first.state_dict())
        >>> Content(first).digest == Content(second).digest
        False
    """

    def __init__(self, module: nn.Module) -> None:
        self.held: list[object] = []
        self._hash, self._path = hashlib.sha256(), list[int]()
        self._add(module)
        self.digest = self._hash.digest()

    def _say(self, kind: str, text: str = "") -> None:
        """Tell one thing, such that no two sequences of things look alike."""
        encoded = text.encode("utf-8", "surrogatepass")
        self._hash.update(f"{kind}:{len(encoded)}:".encode())
        self._hash.update(encoded)

    def _add(self, value: Any) -> None:  # Any: whatever modules have as attributes
        if type(value) in _PLAIN or isinstance(value, _SETTINGS):
            self._say(type(value).__name__, repr(value))
        elif isinstance(value, torch.Tensor):
            self._add_tensor(value)
        elif isinstance(value, fx.Node):
            self._say("node", value.name)  # the graph that it stands in tells the rest
        elif isinstance(value, type | BuiltinFunctionType | Enum):
            self._add_identity(value)
        elif id(value) in self._path:
            self._say("cycle", str(len(self._path) - self._path.index(id(value))))
        else:
            self._path.append(id(value))
            self._add_parts(value)
            self._path.pop()

    def _add_parts(self, value: Any) -> None:  # Any: as above
        """Of what may hold itself."""
        if isinstance(value, nn.Module):
            self._add_module(value)
        elif type(value) in _SEQUENCES:
            self._add_all("sequence", value)
        elif type(value) in _MAPPINGS:
            self._add_all("mapping", [part for item in value.items() for part in item])
        elif type(value) in _SETS and all(type(part) in _PLAIN for part in value):
            self._add_all("set", sorted(map(repr, value)))
        elif isinstance(value, FunctionType):
            self._add_function(value)
        else:
            self._add_object(value)

    def _add_all(self, kind: str, parts: Collection[Any]) -> None:  # Any: as above
        self._say(kind, str(len(parts)))
        for part in parts:
            self._add(part)

    def _add_identity(self, value: object) -> None:
        self.held.append(value)
        self._say("identity", str(id(value)))

    def _add_tensor(self, tensor: torch.Tensor) -> None:
        if type(tensor) not in _TENSORS or tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            self._add_identity(tensor)
            return
        self._say("tensor", f"{tensor.dtype} {tuple(tensor.shape)}")
        plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
        self._hash.update(plain.view(-1).view(torch.uint8).numpy().data)

    def _add_module(self, module: nn.Module) -> None:
        traced = isinstance(module, fx.GraphModule)
        for kind in type(module).__bases__ if traced else (type(module),):  # torch.fx makes a class for each object
            self._add_identity(kind)
        for name, value in vars(module).items():
            if name in _HOOKS:
                self._add_all(name, list(value.values()))  # their keys number all hooks of the process
            elif name not in _IDLE and not (traced and name in _TRACED):
                self._say("attribute", name)
                self._add(value)
        if isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                self._add_all(node.op, (node.name, node.args, node.kwargs))
                self._add_target(node.target)

    def _add_target(self, target: Any) -> None:  # Any: a name, or something to call
        if isinstance(target, str | FunctionType):
            self._add(target)
        else:
            self._add_identity(target)

    def _add_function(self, function: FunctionType) -> None:
        """By identity if it can be imported; one that was made inside another may be made again, with other content."""
        if "<" not in function.__qualname__:
            self._add_identity(function)
            return
        self._add_identity(function.__globals__)
        self._add_code(function.__code__)
        cells = [_inside(cell) for cell in function.__closure__ or ()]
        self._add_all("function", (function.__defaults__, function.__kwdefaults__, cells))

    def _add_code(self, code: CodeType) -> None:
        self._say("code", code.co_code.hex())
        self._add((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags))
        self._add((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):  # a function inside it
                self._add_code(constant)
            else:
                self._add(constant)

    def _add_object(self, value: Any) -> None:  # Any: as above
        """By what it would be made from again, as pickle sees an object of plain Python; any other by its identity."""
        if isinstance(value, partial | slice):
            self._add_all(type(value).__name__, value.__reduce__())
            return
        usual = all(getattr(type(value), name) is expected for name, expected in _USUAL)
        try:
            made = value.__reduce_ex__(4) if usual else ()
        except TypeError:  # a part of it is not Python's
            made = ()
        if not made:
            self._add_identity(value)
            return
        maker, arguments, state, items, entries = (*made, None, None, None)[:5]
        self._add_all("object", (maker, arguments, state, items and list(items), entries and list(entries)))


def _inside(cell: CellType) -> object:
    """The value of a variable of a function around; None if it is not set yet."""
    try:
        inside: object = cell.cell_contents
    except ValueError:
        return None
    return inside
