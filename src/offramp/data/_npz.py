"""Pictures or features in a NumPy archive."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError
from offramp.run import ArraySamples, as_labels, legible

from ._request import Request

NAMES = "class_names"  # key of what the labels are called
Array = NDArray[Any]  # Any: whatever the file holds; `as_inputs` narrows it


def load_npz(request: Request) -> ArraySamples:
    """Read `x_PART` and `y_PART`, or `x` and `y`, from one file; labels may be absent, and `class_names` may name them.

    Pictures are uint8 [n, H, W, C] or [n, H, W], or floats [n, C, H, W] in [0, 1]; [n, D] are features.
    """
    path = Path(request.place)
    with _open(path) as archive:
        x_key, y_key, part = _keys(archive.files, request, path)
        x = as_inputs(_array(archive, x_key, path), f"{x_key} in {path}")
        y, names = _labels(archive, y_key, len(x), request) if y_key in archive.files else (None, None)
    stem = legible(f"{path.resolve().parent.name}/{path.stem}/{part}")
    ids = np.array([f"{stem}/{at}" for at in range(len(x))], dtype=np.str_)
    return ArraySamples(inputs={"x": x}, ids=ids, labels=y, class_names=names)


@contextmanager
def _open(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    if not path.is_file():
        raise DataError(f"npz needs a file, but {path} is none. Check the path.")
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))  # one that NumPy opens stays open if the archive is cut
            archive = np.load(file, allow_pickle=False)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} must be a NumPy archive, but is not. Write it with numpy.savez.") from error
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path} must be an archive of named arrays, but is one array. Write it with numpy.savez.")
        yield archive


def _keys(present: list[str], request: Request, path: Path) -> tuple[str, str, str]:
    part = request.preferred
    if f"x_{part}" in present:
        return f"x_{part}", f"y_{part}", part
    if "x" in present and request.part is None:
        return "x", "y", "all"
    wanted = f"x_{part}" if request.part else f"x_{part} or x"
    raise DataError(f"{path} must have the key {wanted}, but has {sorted(present)[:9]}. Rename the arrays.")


def _array(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> Array:
    try:
        return np.asarray(archive[key])
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{key} in {path} must be an array of numbers, but cannot be read as one. Write plain arrays."
        ) from error


def as_inputs(x: Array, name: str) -> Array:
    """Pictures or features in one of the forms that networks read; DataError if they have another."""
    if x.dtype == np.uint8 and x.ndim in (3, 4):
        return x[..., None] if x.ndim == 3 else x
    if not np.issubdtype(x.dtype, np.floating) or x.ndim < 2:
        raise DataError(
            f"{name} must be uint8 [n, H, W, C] or [n, H, W], or floats [n, C, H, W] or [n, D], but is "
            f"{x.dtype} {list(x.shape)}. Convert it."
        )
    return x.astype(np.float32, copy=False)


def _labels(
    archive: np.lib.npyio.NpzFile, key: str, rows: int, request: Request
) -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Labels and what they are called; none of either if they cannot be used."""
    path = Path(request.place)
    try:
        y = _array(archive, key, path)
        if len(np.atleast_1d(y)) != rows:
            raise DataError(f"{key} in {path} must have one label per sample ({rows}), but has {y.size}. Cut it anew.")
        if y.dtype.kind == "U" and y.ndim == 1:
            found, numbers = np.unique(np.char.strip(y), return_inverse=True)
            return numbers.astype(np.int64), tuple(found.tolist())
        labels = as_labels(y, f"{key} in {path}")
        return labels, _names(archive, labels, path) if NAMES in archive.files else None
    except DataError as error:
        request.leave_out_labels(str(error))
        return None, None


def _names(archive: np.lib.npyio.NpzFile, labels: NDArray[np.int64], path: Path) -> tuple[str, ...]:
    names = _array(archive, NAMES, path)
    if names.ndim != 1 or names.dtype.kind != "U" or labels.min(initial=0) < 0 or labels.max(initial=-1) >= len(names):
        raise DataError(f"{NAMES} in {path} must be texts that labels number, but are not. Name every class.")
    return tuple(names.tolist())
