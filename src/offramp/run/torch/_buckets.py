"""Numbers of rows that a body is prepared for."""

from __future__ import annotations

from collections.abc import Sequence

from offramp.errors import OptionError


class Buckets:
    """Rounds numbers of rows up, so that only a few different ones occur.

    Args:
        sizes: In any order; beyond the largest its multiples serve. None: powers of two.

    Raises:
        OptionError: There is none, or one is not positive.

    Example:
        >>> buckets = Buckets([8, 16])
        >>> buckets(5, batch=64), buckets(9, batch=64), buckets(40, batch=64), buckets(9, batch=10)
        (8, 16, 48, 10)
    """

    def __init__(self, sizes: Sequence[int] | None = None) -> None:
        if sizes is not None and (not sizes or min(sizes) < 1):
            raise OptionError(f"buckets must be numbers of rows, 1 or more, but are {list(sizes)}. Give 8, 16, 32, 64.")
        self._sizes = None if sizes is None else sorted(sizes)

    def __call__(self, rows: int, *, batch: int) -> int:
        """The number that `rows` of a batch get: never fewer, and never more than the batch has."""
        return min(self._up(rows), batch)

    def _up(self, rows: int) -> int:
        if self._sizes is None:
            return 1 << max(rows - 1, 0).bit_length()
        largest = self._sizes[-1]
        return next((size for size in self._sizes if size >= rows), -(-rows // largest) * largest)
