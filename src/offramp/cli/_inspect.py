"""`offramp inspect`: where a network can be cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from offramp import capture, zoo


def inspect(
    model: str, *, weights: Path | None = None, shape: tuple[int, ...] | None = None, logits: str | None = None
) -> dict[str, Any]:
    """The cut points of a network, as JSON."""
    loaded = zoo.load_model(model, weights=weights, shape=shape, logits=logits)
    captured = capture.capture(loaded.module, loaded.example, logits=loaded.logits)
    return {
        "model": loaded.reference,
        "classes": loaded.classes,
        "inputs": {name: list(size) for name, size in loaded.shapes.items()},
        "macs": captured.macs,
        "parameters": sum(weight.numel() for weight in loaded.module.parameters()),
        "eval_only": captured.eval_only,
        "cuts": [
            {"index": index, "name": name, "shape": list(size), "share": share}
            for index, name, size, share in captured.table()
        ],
    }


def print_cuts(found: dict[str, Any]) -> None:  # Any: JSON
    """Print the cut points as a table."""
    console = Console(highlight=False)
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
