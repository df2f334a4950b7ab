"""The four official idx files of MNIST, or of a set in the same form (Fashion-MNIST, KMNIST)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError, UnknownReference
from offramp.run import ArraySamples, legible

from ._query import Query

PREFIXES = {"train": "train", "test": "t10k"}


def load_mnist(query: Query) -> ArraySamples:
    """Read pictures and labels of one part from a folder with the official names."""
    part = query.preferred
    if part not in PREFIXES:
        raise UnknownReference(f"MNIST has the parts train and test, but @{part} was asked. Use @train.")
    folder = Path(query.place)
    pictures = folder / f"{PREFIXES[part]}-images-idx3-ubyte.gz"
    classes = folder / f"{PREFIXES[part]}-labels-idx1-ubyte.gz"
    missing = [path.name for path in (pictures, classes) if not path.is_file()]
    if missing:
        raise DataError(f"mnist needs the official idx files, but {folder} lacks {missing}. Name their folder.")
    pixels, labels = _read_idx(pictures, axes=3), _read_idx(classes, axes=1)
    ids = np.array([f"{legible(folder.resolve().name)}/{part}/{at}" for at in range(len(pixels))])
    return ArraySamples(inputs={"x": pixels[..., None]}, ids=ids, labels=labels.astype(np.int64))


def _read_idx(path: Path, *, axes: int) -> NDArray[np.uint8]:
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} must be a whole gzip file, but is not: {error}. Fetch it again.") from error
    start = 4 + 4 * axes
    # idx: two zero bytes, 8 for unsigned bytes, the number of axes, each axis as big-endian 32 bits, the data
    if raw[:4] != bytes((0, 0, 8, axes)) or len(raw) < start:
        raise DataError(f"{path} must hold unsigned bytes with {axes} axes in idx form, but does not. Fetch it again.")
    shape = struct.unpack(f">{axes}I", raw[4:start])
    if len(raw) - start != math.prod(shape):
        raise DataError(f"{path} must hold {shape} bytes, but has {len(raw) - start}. Fetch it again.")
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape)
