"""Where a network can be cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from offramp import capture, zoo

from ._progress import Listener
from ._screen import Screen


def inspect(
    model: str, *, weights: Path | None = None, shape: tuple[int, ...] | None = None, logits: str | None = None,
    on_progress: Listener | None = None,
) -> dict[str, Any]:  # fmt: skip  # Any: JSON
    """The cut points of a network: index, name, shape, and share of its multiply-accumulates before the cut.

    Args:
        model: Reference to the network, as for `zoo.load_model`.
        weights: File with its weights; None for random ones.
        shape: Of one sample, if the network does not say it.
        logits: Name or index of the output that holds the logits, if there are several.
        on_progress: Is told how far it is.

    Returns:
        What was found, as JSON.

    Raises:
        OfframpError: There is no such network, or it cannot be captured.
    """
    with Screen(on_progress).step(f"model {model}"):
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
