"""Tables beside results, for people who look before they read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def write_markdown(titles: Sequence[str], rows: Iterable[Sequence[str]], path: Path) -> None:
    """A file with one table."""
    path.write_text(format_markdown(titles, rows))


def format_markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A row of titles, and one per row of cells."""
    lines = [f"| {' | '.join(cells)} |" for cells in (titles, *rows)]
    lines.insert(1, "|" + "---|" * len(titles))
    return "\n".join(lines) + "\n"
