"""The steps of a graph in a file: written, read, and taken again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from offramp import attach, compress, transform
from offramp.attach import Attachment
from offramp.errors import ExportError
from offramp.graph import Graph, Pass, Step
from offramp.zoo import LoadedModel

Array = np.ndarray[Any, np.dtype[Any]]  # any shape, any dtype
Steps = Mapping[str, type[Step]]

# All steps that a file may name. Whoever has passes of their own gives `load_artifact` a larger table.
STEPS: dict[str, type[Step]] = {
    "attach_exits": attach.AttachExits,
    "attach_controllers": attach.AttachControllers,
    "high_low": attach.HighLow,
    "published": attach.Published,
    "keep_exits": transform.KeepExits,
    "gate_by": transform.GateBy,
    "add_fallback": transform.AddFallback,
    "narrow": compress.Narrow,
    "quantize": compress.Quantized,
}


def write_steps(steps: Sequence[Step]) -> tuple[list[dict[str, Any]], dict[str, Array]]:  # Any: JSON
    """The steps as JSON, and their large arrays by number of the step and name."""
    told: list[dict[str, Any]] = []
    tensors: dict[str, Array] = {}
    for at, step in enumerate(steps):
        data, arrays = step.to_json()
        told.append(data)
        tensors |= {f"{at}/{name}": array for name, array in arrays.items()}
    return told, tensors


def read_steps(told: Sequence[Mapping[str, Any]], tensors: Mapping[str, Array], known: Steps) -> list[Step]:
    """The steps that `write_steps` wrote; Any: JSON.

    Raises:
        ExportError: Nobody knows one of them.
    """
    steps = []
    for at, data in enumerate(told):
        if data["pass"] not in known:
            raise ExportError(
                f"steps must be of {', '.join(known)}, but the file has {data['pass']!r}. "
                "Update, or give load_artifact a table with its class: steps=."
            )
        prefix = f"{at}/"
        arrays = {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
        steps.append(known[data["pass"]].from_json(data, arrays))
    return steps


def replay(steps: Sequence[Step], networks: Sequence[LoadedModel]) -> Graph:
    """The graph that the steps make of the networks, with fresh weights in all that was trained.

    Raises:
        ExportError: They do not begin with an attachment, or go on with something else than passes.
    """
    first, passes = next(iter(steps), None), [one for one in steps if isinstance(one, Pass)]
    if not isinstance(first, Attachment) or len(passes) != len(steps) - 1:
        raise ExportError("steps must be one that attaches to a network, then passes, but are others. Write it again.")
    graph = first(networks)
    for one in passes:
        graph = one(graph)
    return graph
