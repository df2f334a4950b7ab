"""The ONNX files of one run: each body is traced once, however many files it is part of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offramp.export import onnx
from offramp.graph import Graph


class Exports:
    """Writes the graphs of a run, which share their bodies.

    Args:
        folder: For files that nobody keeps.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._traces: onnx.Traces = {}

    def save(self, graph: Graph, path: Path, card: Mapping[str, Any]) -> Path:  # Any: JSON
        """Write the conditional file, with its card."""
        return onnx.save(graph, path, card=card, traces=self._traces)

    def save_scratch(self, graph: Graph, name: str) -> Path:
        """Write a conditional file, to be measured and thrown away."""
        return onnx.save(graph, self._folder / f"{name}.onnx", traces=self._traces)

    def save_dense(self, graph: Graph, name: str) -> Path:
        """Write a file without conditions, to be measured and thrown away."""
        return onnx.save(graph, self._folder / f"{name}.onnx", dense=True, traces=self._traces)
