"""Do these samples fit this network?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError
from offramp.run import ArraySamples, Samples, bind

from ._classes import check_numbers, class_names_of

ROUNDING = 1e-5  # of a pixel in [0, 1] that was computed
CHUNK = 1024  # samples looked at in one go


def check_samples(samples: Samples, shape: tuple[int, ...] | Mapping[str, tuple[int, ...]], classes: int) -> None:
    """Refuse samples that the network cannot read or could never be right on.

    Args:
        samples: What a data reference gave.
        shape: Of one sample, by input name if there are several inputs.
        classes: Number of classes that the network tells apart.

    Raises:
        DataError: No samples; another shape; NaN; pixels outside [0, 1]; labels outside 0 .. classes - 1, or all equal.

    Example:
        >>> one = ArraySamples(inputs={"x": np.zeros((1, 8, 8, 1), np.uint8)}, ids=np.array(["a"]))
        >>> check_samples(one, (1, 28, 28), 10)
        Traceback (most recent call last):
        offramp.errors.DataError: the network reads x as [1, 28, 28], but the samples are [1, 8, 8]. Resize them.
    """
    if not len(samples):
        raise DataError("there must be at least one sample, but there is none. Check the data reference.")
    _check_shapes(samples, shape if isinstance(shape, Mapping) else {"x": shape})
    _check_pixels(samples)
    if samples.labels is not None:
        check_numbers(samples.labels, classes, named=class_names_of(samples) is not None)


def _check_shapes(samples: Samples, shapes: Mapping[str, tuple[int, ...]]) -> None:
    first = bind(samples.take([0]), list(shapes))
    for name, wanted in shapes.items():
        got = first[name].shape[1:]
        if got != tuple(wanted):
            turned = len(got) == 3 and (got[1], got[2], got[0]) == tuple(wanted)  # taken for channels last
            remedy = "Give whole numbers as [n, H, W, C], or floats" if turned else "Resize them"
            raise DataError(f"the network reads {name} as {list(wanted)}, but the samples are {list(got)}. {remedy}.")


def _check_pixels(samples: Samples) -> None:
    if not isinstance(samples, ArraySamples):
        return  # what is read lazily: picture files have 8 bits, and arrays are checked as they are taken
    for name, array in samples.inputs.items():
        if np.issubdtype(array.dtype, np.floating):
            for start in range(0, len(array), CHUNK):
                check_floats(array[start : start + CHUNK], name, range(start, start + CHUNK))


def check_floats(array: NDArray[Any], name: str, positions: Sequence[int]) -> None:  # Any: a float of any width
    """Refuse NaN, infinite values and pixels outside [0, 1]; `positions` are those of the rows in their collection."""
    rows = array.reshape(len(array), -1)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        at = positions[int(np.argmin(finite))]
        raise DataError(f"{name} must be finite, but sample {at} has NaN or infinite values. Remove or repair it.")
    outside = rows.min() < -ROUNDING or rows.max() > 1 + ROUNDING
    if array.ndim == 4 and outside:  # [n, D] are features and may take any value
        raise DataError(
            f"pixels must lie in [0, 1], but {name} runs from {rows.min():.7g} to {rows.max():.7g}. "
            "Divide by 255, and leave mean and std to the network."
        )
