"""What a network reads, and the check that arrays fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offramp.errors import DataError

from ._samples import bind, check_rows

Array = np.ndarray[Any, np.dtype[Any]]  # any shape, any dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One input of a network.

    Attributes:
        name: As the file names it.
        shape: Sizes without the batch axis; None is free.
        dtype: NumPy name.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


def ports_of(inputs: Mapping[str, Mapping[str, Any]]) -> tuple[Port, ...]:  # Any: JSON
    """The inputs that a card lists."""
    return tuple(Port(name=name, shape=tuple(spec["shape"]), dtype=spec["dtype"]) for name, spec in inputs.items())


def check_inputs(ports: Sequence[Port], inputs: Mapping[str, Array] | Array) -> tuple[int, list[Array]]:
    """Number of rows, and the arrays in the order of the ports.

    Args:
        ports: The inputs that the network reads.
        inputs: Arrays by name, batch axis first; a single one may have any name, or none.

    Returns:
        The number of rows, and the arrays.

    Raises:
        DataError: Names, shapes, dtypes or numbers of rows do not fit.

    Example:
        >>> rows, arrays = check_inputs([Port(name="x", shape=(3,), dtype="float32")], np.zeros((2, 3), np.float32))
        >>> rows
        2
    """
    if len(ports) == 1 and isinstance(inputs, dict) and len(inputs) == 1:  # every call passes here: no detours
        (array,) = inputs.values()
        if type(array) is np.ndarray and _fits(ports[0], array):
            return len(array), [array]
    arrays = [np.asarray(array) for array in bind(inputs, [port.name for port in ports]).values()]
    for port, array in zip(ports, arrays, strict=True):
        if not _fits(port, array):
            wanted = ["B", *("?" if size is None else size for size in port.shape)]
            raise DataError(
                f"input {port.name!r} must be {port.dtype} {wanted}, but got {array.dtype} {list(array.shape)}: "
                "convert or reshape it."
            )
    return check_rows({port.name: array for port, array in zip(ports, arrays, strict=True)}), arrays


def _fits(port: Port, array: Array) -> bool:
    if array.dtype != port.dtype or array.ndim != len(port.shape) + 1:
        return False
    return array.shape[1:] == port.shape or all(
        size in (None, found) for size, found in zip(port.shape, array.shape[1:], strict=True)
    )
