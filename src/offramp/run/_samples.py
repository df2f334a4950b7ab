"""Samples: what networks learn from, are measured on and answer.

Shape letters: B batch, C channels, H W space, S samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError

Array = NDArray[Any]  # Any: pixels are uint8 or float32, tokens int64
Positions = Sequence[int] | NDArray[np.int64] | slice


@runtime_checkable
class Samples(Protocol):
    """A finite set of samples that can be read again and again, in any order."""

    @property
    def ids(self) -> NDArray[np.str_]:
        """One name per sample [S], unique and the same in every run."""

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The right class of each sample [S], or None if nobody knows."""

    def __len__(self) -> int:
        """Number of samples."""

    def take(self, positions: Positions) -> dict[str, Array]:
        """Give the inputs of some samples as a network reads them: by name, batch axis first.

        Args:
            positions: Positions of the samples, or a slice.

        Returns:
            Arrays by input name, one row per position.
        """

    def subset(self, positions: Positions) -> Samples:
        """Give some of the samples, in the given order.

        Args:
            positions: Positions of the samples, or a slice.

        Returns:
            Samples with these alone.
        """

    def __iter__(self) -> Iterator[tuple[dict[str, Array], int | None]]:
        """Give one sample after the other: its inputs with a batch axis of 1, and its label or None."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ArraySamples:
    """Samples that lie in memory.

    An array of uint8 holds pictures [S, H, W, C] and `take` gives them as float32 [B, C, H, W] in [0, 1];
    every other array is given as it is.

    Attributes:
        inputs: By input name, an array with one row per sample.
        ids: One unique name per sample [S].
        labels: The right class of each sample [S], or None.
        class_names: What the labels are called, by number; None if the numbers are all that is known.

    Raises:
        DataError: The numbers of rows differ, an id occurs twice, or uint8 pictures have no four axes.

    Example:
        >>> grey = np.full((2, 8, 8, 1), 51, dtype=np.uint8)
        >>> samples = ArraySamples(inputs={"x": grey}, ids=np.array(["a", "b"]), labels=np.array([0, 1]))
        >>> batch = samples.take([1])["x"]
        >>> batch.shape, round(float(batch.max()), 3)
        ((1, 1, 8, 8), 0.2)
    """

    inputs: Mapping[str, Array]
    ids: NDArray[np.str_]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check that the columns fit each other."""
        _check_columns(self.inputs, self.ids, self.labels)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.ids)

    def take(self, positions: Positions) -> dict[str, Array]:
        """Give the inputs of some samples by name, batch axis first."""
        chosen = positions if isinstance(positions, slice) else np.asarray(positions, dtype=np.int64)
        return {name: _as_read(array[chosen]) for name, array in self.inputs.items()}

    def subset(self, positions: Positions) -> ArraySamples:
        """Give some of the samples, in the given order."""
        chosen = positions if isinstance(positions, slice) else np.asarray(positions, dtype=np.int64)
        return ArraySamples(
            inputs={name: array[chosen] for name, array in self.inputs.items()},
            ids=self.ids[chosen],
            labels=None if self.labels is None else self.labels[chosen],
            class_names=self.class_names,
        )

    def __iter__(self) -> Iterator[tuple[dict[str, Array], int | None]]:
        """Give one sample after the other, with a batch axis of 1."""
        for position in range(len(self)):
            yield self.take([position]), None if self.labels is None else int(self.labels[position])


def _as_read(array: Array) -> Array:
    if array.dtype != np.uint8:
        return array
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)


def _check_columns(inputs: Mapping[str, Array], ids: NDArray[np.str_], labels: NDArray[np.int64] | None) -> None:
    columns = inputs if labels is None else {**inputs, "labels": labels}
    wrong = {name: len(column) for name, column in columns.items() if len(column) != len(ids)}
    if wrong:
        raise DataError(f"every column must have one row per id ({len(ids)}), but has {wrong}. Give equal lengths.")
    flat = [name for name, array in inputs.items() if array.dtype == np.uint8 and array.ndim != 4]
    if flat:
        raise DataError(f"uint8 inputs must be pictures [S, H, W, C], but {flat} are not. Add the missing axes.")
    names, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        twice = names[counts > 1]
        raise DataError(f"ids must be unique, but {len(twice)} occur twice, such as {twice[0]!r}. Rename them.")


def bind(inputs: Mapping[str, Array] | Array, names: Sequence[str]) -> dict[str, Array]:
    """Match arrays with the input names of a graph.

    A single array goes to a graph with a single input, whatever its name; several are matched by name.

    Args:
        inputs: Arrays by name, or one bare array.
        names: Input names of the graph.

    Returns:
        The arrays by the graph's names, in the graph's order.

    Raises:
        DataError: Names are missing or unknown.

    Example:
        >>> bind({"picture": np.zeros(3)}, ["x"])
        {'x': array([0., 0., 0.])}
    """
    given = inputs if isinstance(inputs, Mapping) else {"the array": inputs}
    if len(given) == len(names) == 1:
        return {names[0]: next(iter(given.values()))}
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in names]
    if missing or unknown:
        raise DataError(
            f"the network reads {list(names)}, but missing are {missing} and unknown are {unknown}. "
            "Name each array as the network does."
        )
    return {name: given[name] for name in names}


def check_rows(arrays: Mapping[str, Array]) -> int:
    """The number of rows that all arrays have.

    Raises:
        DataError: They have unequal numbers of rows.

    Example:
        >>> check_rows({"x": np.zeros((2, 3)), "y": np.zeros(2)})
        2
    """
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(set(sizes.values())) != 1:
        raise DataError(f"all inputs must have equally many rows, but got {sizes}: give one row per sample.")
    return next(iter(sizes.values()))
