"""Pictures or features in one NumPy file that need not fit in memory.

Shape letters: B batch, S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError
from offramp.run import ArraySamples, Positions, legible

from ._check import check_floats
from ._npz import Array, as_inputs
from ._query import Query


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedSamples:
    """Rows of a file, read when they are taken and checked as they are read; there are no labels.

    The file is mapped anew for every `take`: pages of a mapping that stays count as memory of the process.

    Attributes:
        open_rows: Maps the file [S, ...].
        positions: Which of its rows belong here, in order.
        stem: Begins every id.
    """

    open_rows: Callable[[], Array]
    positions: Sequence[int]
    stem: str
    labels: None = None

    @property
    def ids(self) -> NDArray[np.str_]:
        """One unique name per sample [S]; made when asked for."""
        return np.array([f"{self.stem}/{at}" for at in self.positions], dtype=np.str_)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.positions)

    def take(self, positions: Positions) -> dict[str, Array]:
        """Read some of the rows, batch axis first."""
        part = self.subset(positions)
        rows = as_inputs(np.array(self.open_rows()[_index(part.positions)]), self.stem)
        if np.issubdtype(rows.dtype, np.floating) and len(rows):
            check_floats(rows, "x", part.positions)
        return ArraySamples(inputs={"x": rows}, ids=part.ids).take(slice(None))

    def subset(self, positions: Positions) -> MappedSamples:
        """Give some of the samples, in the given order."""
        if isinstance(positions, slice):
            return replace(self, positions=self.positions[positions])
        return replace(self, positions=[self.positions[int(at)] for at in positions])

    def __iter__(self) -> Iterator[tuple[dict[str, Array], int | None]]:
        """Give one sample after the other, with a batch axis of 1."""
        for position in range(len(self)):
            yield self.take([position]), None


def load_npy(query: Query) -> MappedSamples:
    """Map the rows of one array, in the forms that `load_npz` reads."""
    path = Path(query.place)
    if query.part is not None:
        raise DataError(f"npy holds one array without parts, but @{query.part} was asked of {path}. Leave it out.")
    mapped = _map(path)
    rows = mapped.shape[0] if mapped.ndim else 0
    as_inputs(mapped[:1] if rows else mapped, str(path))
    order = "C" if mapped.flags.c_contiguous else "F"
    opened = partial(
        np.memmap, path, dtype=mapped.dtype, mode="r", offset=mapped.offset, shape=mapped.shape, order=order
    )
    stem = legible(f"{path.resolve().parent.name}/{path.stem}/all")
    return MappedSamples(open_rows=opened, positions=range(rows), stem=stem)


def _map(path: Path) -> np.memmap[Any, np.dtype[Any]]:  # Any: whatever the file holds
    if not path.is_file():
        raise DataError(f"npy needs a file, but {path} is none. Check the path.")
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} must be one array of numbers, but is not. Write it with numpy.save.") from error
    if not isinstance(mapped, np.memmap):
        raise DataError(f"{path} must be one array, but is an archive. Name it npz:{path}.")
    return mapped


def _index(positions: Sequence[int]) -> slice | NDArray[np.int64]:
    if isinstance(positions, range) and positions.step > 0:
        return slice(positions.start, positions.stop, positions.step)
    return np.array(positions, dtype=np.int64)
