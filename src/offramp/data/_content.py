"""Samples are known by what they hold: copies under other names are found, and every file is read once to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError
from offramp.run import Samples, digest_rows

CHUNK = 64  # samples that are read in one go
Meter = Callable[[Iterable[range], int, str], Iterable[range]]  # shows how far a pass is, as a bar does


def fingerprint(samples: Samples, *, meter: Meter | None = None) -> NDArray[np.uint64]:
    """What each sample holds, as one number [S]; equal numbers are equal samples.

    Every sample is read and decoded once, which takes as long as it takes in a pass of the network, but none of the
    network's own time; so this is also where a broken file is found, before anything is trained.

    Args:
        samples: Samples of any kind.
        meter: A function that is given the chunks, their total and what is done, and that gives the chunks back as they
            are read.

    Returns:
        [S] one number per sample.

    Raises:
        DataError: Samples cannot be read; all of them are counted, and the first is named.

    Example:
        >>> from offramp.run import ArraySamples
        >>> twice = ArraySamples(inputs={"x": np.ones((2, 3))}, ids=np.array(["a", "b"]))
        >>> len(set(fingerprint(twice).tolist()))
        1
    """
    chunks: Iterable[range] = _chunks(len(samples))
    if meter is not None:
        chunks = meter(chunks, len(samples), "reading samples")
    parts, broken = [np.empty(0, np.uint64)], list[DataError]()
    for chunk in chunks:
        try:
            parts.append(digest_rows(samples.take(list(chunk))))
        except DataError as error:
            broken += _find_broken(samples, chunk) or [error]
    if broken:
        more = f" {len(broken) - 1} more cannot be read either." if len(broken) > 1 else ""
        raise DataError(f"{broken[0]}{more}") from broken[0]
    return np.concatenate(parts)


def first_of_each(contents: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Positions of the samples without their repeats, in order.

    Args:
        contents: [S] what each sample holds, as `fingerprint` gives it.

    Returns:
        The positions of those that hold something new.

    Example:
        >>> first_of_each(np.array([7, 5, 7], np.uint64)).tolist()
        [0, 1]
    """
    return np.sort(np.unique(contents, return_index=True)[1]).astype(np.int64)


def _chunks(count: int) -> Iterator[range]:
    for start in range(0, count, CHUNK):
        yield range(start, min(start + CHUNK, count))


def _find_broken(samples: Samples, chunk: range) -> list[DataError]:
    found = []
    for at in chunk:
        try:
            samples.take([at])
        except DataError as error:
            found.append(error)
    return found
