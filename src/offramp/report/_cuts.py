"""Where a network can be cut, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_cuts(found: Mapping[str, Any], console: Console) -> None:  # Any: JSON
    """Print the cut points as a table.

    Args:
        found: What `offramp inspect --json` prints.
        console: Where to print.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, justify in (("cut", "right"), ("name", "left"), ("shape", "left"), ("MACs before, %", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # a literal
    table.add_row("", "input", str(next(iter(found["inputs"].values()))), "0.0")
    for cut in found["cuts"]:
        table.add_row(str(cut["index"]), cut["name"], str(cut["shape"]), f"{100 * cut['share']:.1f}")
    console.print(table)
    inputs = ", ".join(f"{name} {shape}" for name, shape in found["inputs"].items())
    console.print(
        f"{found['model']}: {inputs}, {found['classes']} classes, {found['macs']:,} MACs, "
        f"{found['parameters']:,} parameters",
        markup=False,
        soft_wrap=True,
    )
