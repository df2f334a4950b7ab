"""How operating points are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from offramp.errors import OptionError

SearchName = Literal["frontier", "screening"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How operating points are looked for.

    Attributes:
        name: "frontier", or "screening", which combines a few thresholds.
        grid: Thresholds that a screening combines; None for its own.
        shares: Instead of them, shares of the surest samples that leave at each exit, each from 0 to 1; or None.

    Raises:
        OptionError: There is no such search, or thresholds without a screening.

    Example:
        >>> Search(name="screening", shares=(0.8, 0.9)).grid is None
        True
    """

    name: SearchName = "frontier"
    grid: tuple[float, ...] | None = None
    shares: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be, before any work."""
        if self.name not in get_args(SearchName):
            raise OptionError(
                f"search.name must be frontier or screening, but is {self.name!r}. Choose one of them.",
                about=["search.name"],
            )
        if self.name == "frontier" and (self.grid is not None or self.shares is not None):
            raise OptionError(
                "search.grid and search.shares need search.name screening, but the search is frontier. Give both, or "
                "no grid.",
                about=["search.grid", "search.shares", "search.name"],
            )
