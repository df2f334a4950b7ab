"""Tables beside results, for people who look before they read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def write_markdown(titles: Sequence[str], rows: Iterable[Sequence[str]], path: Path) -> None:
    """A row of titles, and one per row of cells."""
    lines = [f"| {' | '.join(cells)} |" for cells in (titles, *rows)]
    lines.insert(1, "|" + "---|" * len(titles))
    path.write_text("\n".join(lines) + "\n")
