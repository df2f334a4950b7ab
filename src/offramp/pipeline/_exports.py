"""The ONNX files of one run: each body is traced once, however many files it is part of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx import ModelProto

from offramp.export import onnx
from offramp.graph import Graph, Node
from offramp.run.onnx import make_fusible


def fusible(node: Node, body: ModelProto) -> ModelProto:
    """A stage pass for files that ONNX Runtime runs: it folds residual chains of bodies then, also without offramp."""
    made = ModelProto()
    made.CopyFrom(body)
    return made if make_fusible(made) else body


class Exports:
    """Writes the graphs of a run, which share their bodies.

    Args:
        folder: For files that nobody keeps.
        stage_pass: What becomes of each body before it is written; None leaves all as they are.
        traces: Bodies that were traced already.
    """

    def __init__(
        self, folder: Path, *, stage_pass: onnx.StagePass | None = None, traces: onnx.Traces | None = None
    ) -> None:
        self._folder = folder
        self._pass = stage_pass
        self._traces: onnx.Traces = {} if traces is None else traces

    def passing(self, stage_pass: onnx.StagePass | None) -> Exports:
        """The same with another pass, or with none: the files of the network as it was trained."""
        return Exports(self._folder, stage_pass=stage_pass, traces=self._traces)

    @property
    def traces(self) -> onnx.Traces:
        """Bodies that were traced already; those that somebody else traces may be added."""
        return self._traces

    def trace(self, graph: Graph) -> dict[str, ModelProto]:
        """The bodies of all function nodes, as they were trained."""
        return onnx.trace(graph, [node for node in graph.nodes if node.kind == "function"], self._traces)

    def save(self, graph: Graph, path: Path, card: Mapping[str, Any]) -> Path:  # Any: JSON
        """Write the conditional file, with its card."""
        return onnx.save(graph, path, card=card, traces=self._traces, stage_pass=self._pass)

    def save_scratch(self, graph: Graph, name: str) -> Path:
        """Write a conditional file, to be measured and thrown away."""
        return onnx.save(graph, self._folder / f"{name}.onnx", traces=self._traces, stage_pass=self._pass)

    def save_dense(self, graph: Graph, name: str) -> Path:
        """Write a file without conditions, to be measured and thrown away."""
        return onnx.save(graph, self._folder / f"{name}.onnx", dense=True, traces=self._traces, stage_pass=self._pass)
