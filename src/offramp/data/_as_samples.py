"""From a data reference or whatever holds samples in Python to `Samples`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, Union

from offramp import run
from offramp.run import Samples

from ._load import load

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch.utils.data import DataLoader, Dataset

Given: TypeAlias = Union[
    str, Samples, "NDArray[Any]", "torch.Tensor", tuple[Any, Any], "dict[str, Any]", "Dataset[Any]", "DataLoader[Any]"
]  # Any: arrays and tensors of any type


def as_samples(given: Given, name: str = "samples") -> Samples:
    """Samples that can be read again and again, in any order.

    Args:
        given: A data reference, as for `load`, or whatever `run.as_samples` takes: an array, a tensor, a pair
            (inputs, labels), a dictionary of arrays, a torch Dataset or DataLoader, or `Samples`.
        name: What to call them in an error.

    Returns:
        The samples; with labels if some were given.

    Raises:
        OfframpError: It is something else, cannot be read, or its parts do not fit each other.

    Example:
        >>> len(as_samples("digits@test")), len(as_samples({"x": [[0.5], [1.0]]}))
        (797, 2)
    """
    return load(given) if isinstance(given, str) else run.as_samples(given, name)
