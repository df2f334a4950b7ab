"""PyTorch's exporter, asked once per process for each content; `tests/conftest.py` lends this to all tests.

Tests write the same small graphs again and again, and to export a body is most of that work. What is done with an
exported body is done each time; only `torch.onnx.export` itself is spared.
"""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import torch
from torch import nn

LARGEST = 2**22  # bytes of weights: to compare more of them would take longer than it saves


class KnownBodies:
    """Stands for `torch.onnx.export`.

    Attributes:
        export: PyTorch's own.
        programs: What was exported, by content: class, weights and everything else in the module, and what it is given.
    """

    def __init__(self) -> None:
        self.programs: dict[bytes, Any] = {}
        self.export = torch.onnx.export

    def __call__(self, module: Any, given: Any = (), file: Any = None, **options: Any) -> Any:
        key = content_of(module, given, options) if file is None else None
        if key is None:
            return self.export(module, given, file, **options)
        if key not in self.programs:
            self.programs[key] = self.export(copy.deepcopy(module), given, **options)  # nobody trains the copy
        return self.programs[key]


def content_of(module: Any, given: Any, options: dict[str, Any]) -> bytes | None:
    """A digest of all that an export depends on; None if it is large, or has parts that only this process knows."""
    if not isinstance(module, nn.Module) or sum(weight.nbytes for weight in module.state_dict().values()) > LARGEST:
        return None
    shapes = [(tuple(tensor.shape), tensor.dtype) for tensor in given]
    found = [getattr(type(part).forward, "__code__", None) for part in module.modules()]  # two classes may share a name
    codes = repr([(code.co_code, code.co_consts, code.co_names) for code in found if code])
    written = io.BytesIO()
    try:
        Contents(written).dump((module, shapes, options, codes))
    except (pickle.PicklingError, AttributeError, TypeError):  # local classes and functions
        return None
    return hashlib.sha256(written.getvalue()).digest()


class Contents(pickle.Pickler):
    """Writes tensors by what they hold; PyTorch would add where in memory they lie."""

    def reducer_override(self, thing: Any) -> Any:  # Any: pickle's own protocol
        if not isinstance(thing, torch.Tensor):
            return NotImplemented
        held = thing.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return tuple, ((str(type(thing)), tuple(thing.shape), str(thing.dtype), thing.requires_grad, held),)


@pytest.fixture(autouse=True, scope="session")
def known_bodies() -> Iterator[KnownBodies]:
    """Exports each body once per process."""
    known = KnownBodies()
    with mock.patch.object(torch.onnx, "export", known):
        yield known
