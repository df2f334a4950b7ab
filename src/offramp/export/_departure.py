"""Whether an engine computes what PyTorch does, and if not, where it begins to differ.

Engines compute some operators otherwise without a word (OpenVINO 2026.4: a Resize with antialias is off by as much as
its input is large), and the exporter leaves out what ONNX cannot say (`avg_pool2d(divisor_override=...)`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx as onnx_format
import torch
from numpy.typing import NDArray
from torch import fx

from offramp.errors import EngineError, OptionError, OutputError
from offramp.graph import Graph
from offramp.run import bind
from offramp.transform import backbone

from . import onnx
from ._body import export_body

if TYPE_CHECKING:  # engines are loaded when they are asked for
    from offramp.run.onnx import OnnxValues
    from offramp.run.openvino import OpenvinoValues, Precision

Array = NDArray[Any]  # Any: pixels are float32, tokens int64
EngineName = Literal["openvino", "onnxruntime"]
ALLOWED = {"f32": 1e-3, "bf16": 0.25, "f16": 0.25}  # of the largest logit; sound engines part by 1e-6 in f32
_INNER = 1e-4  # of its largest number, by which an inner value may part


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """How far an engine's answers are from PyTorch's, and where that begins.

    Attributes:
        engine: "openvino" or "onnxruntime".
        precision: What it computed in.
        error: Largest difference of a logit, relative to the largest logit.
        changed: How many of the samples get another class.
        samples: How many were asked.
        layer: The first operation whose result differs, such as "_upsample_bicubic2d_aa after 'proj'"; None if no inner
            value does when it is looked at by itself.
        inner: Largest difference of its result, relative to that result's largest number.
        helps: The other engine, if that answers as PyTorch does.
    """

    engine: str
    precision: str
    error: float
    changed: int
    samples: int
    layer: str | None = None
    inner: float = 0.0
    helps: str | None = None

    def __str__(self) -> str:
        where = f", first in {self.layer} ({self.inner:.1g})" if self.layer else ""
        return (
            f"{self.engine} {self.precision} must answer as PyTorch does, but is {self.error:.1g} of the largest logit "
            f"off, with {self.changed} of {self.samples} answers changed{where}. {self.remedy}"
        )

    @property
    def remedy(self) -> str:
        """What helps."""
        if self.precision != "f32":
            return "Compute in f32."
        written = "write that layer with other operators" if self.layer else "report this network"
        return f"Choose the engine {self.helps}, or {written}." if self.helps else f"{written[0].upper()}{written[1:]}."


def find_departure(
    graph: Graph,
    samples: Mapping[str, Array],
    expected: NDArray[np.float32] | None = None,
    *,
    engine: EngineName = "openvino",
    precision: Precision = "f32",
    traces: onnx.Traces | None = None,
) -> Departure | None:
    """Compare the network without exits, in an engine, with PyTorch; None if they agree.

    Nothing needs to be trained yet. It costs an export, which `traces` share with later ones, and a call of each; where
    that begins is looked for only if they differ.

    Args:
        graph: With exits or without.
        samples: Inputs by name, batch first, as `Samples.take` gives them; a few real ones.
        expected: Logits [B, K] of the user's own module; None: of the graph's bodies, in PyTorch.
        engine: That will run the file.
        precision: It will compute in; "int8" is looked at in f32, for how much that loses is measured elsewhere.
        traces: As for `export.onnx.save`.

    Raises:
        ExportError: A body has an operator that ONNX lacks.
        EngineError: The engine cannot read or run the file.
        OptionError: No such engine, or the CPU does not compute in this precision.
        OutputError: No temporary folder can be made.

    Example:
        >>> from torch import nn
        >>> from offramp import attach
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> graph = attach.exits(net, torch.zeros(2, 8), count=0)
        >>> find_departure(graph, {"x": np.ones((2, 8), np.float32)}) is None
        True
    """
    precision = "f32" if precision == "int8" else precision
    alone = backbone(graph)
    given = bind(samples, [node.name for node in alone.inputs])
    wanted = _logits(alone, given) if expected is None else expected
    with _scratch() as folder:
        path = onnx.save(alone, Path(folder) / "alone.onnx", dense=True, traces=traces)
        found = _compare(_ask(engine, precision, path, given), wanted, engine, precision)
        if found is None:
            return None
        exact = found
        if precision != "f32":
            exact = _compare(_ask(engine, "f32", path, given), wanted, engine, "f32") or found
        return exact if exact.precision != "f32" else _explain(exact, alone, given, wanted, path)


def _scratch() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="offramp-")
    except OSError as error:
        raise OutputError(
            f"a temporary folder must be writable, but: {error.strerror}. Set TMPDIR to one that is."
        ) from error


def _explain(found: Departure, graph: Graph, given: Mapping[str, Array], wanted: Array, path: Path) -> Departure:
    """The same with the operation that differs, and the engine that helps."""
    other: EngineName = "openvino" if found.engine == "onnxruntime" else "onnxruntime"
    try:
        helps = _compare(_ask(other, "f32", path, given), wanted, other, "f32") is None
    except EngineError:
        helps = False
    located = _locate(found, graph, given, wanted, path)
    return replace(located, helps=other if helps else None)


def _ask(engine: str, precision: Precision, path: Path, given: Mapping[str, Array]) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = _load(engine, precision, path)(given)["exit_logits"][:, -1]
    return logits


def _load(engine: str, precision: Precision, path: Path) -> OpenvinoValues | OnnxValues:
    if engine == "openvino":
        from offramp.run import openvino

        return openvino.load_values(path, precision=precision)
    if engine == "onnxruntime":
        from offramp.run import onnx as onnxruntime

        return onnxruntime.load_values(path)
    raise OptionError(f"engine must be openvino or onnxruntime, but is {engine!r}. Choose one of them.")


def _compare(answered: Array, wanted: Array, engine: str, precision: str) -> Departure | None:
    """None if they are close enough; samples whose answer is not finite have no class, and are left out."""
    sound = np.isfinite(wanted).all(axis=1)
    answered, wanted = answered[sound], wanted[sound]
    error, allowed = _part(answered, wanted), ALLOWED[precision]
    if error <= allowed:
        return None
    changed = int((answered.argmax(axis=1) != wanted.argmax(axis=1)).sum())
    return Departure(engine=engine, precision=precision, error=error, changed=changed, samples=len(wanted))


def _part(answered: Array, wanted: Array) -> float:
    """Largest difference relative to the largest number; infinite if one has NaN where the other has none."""
    if answered.shape != wanted.shape:
        return float("inf")
    same = (answered == wanted) | (np.isnan(answered) & np.isnan(wanted))
    sound = np.isfinite(wanted)
    if same.all():
        return 0.0
    if not np.isfinite(answered[~same]).all() or not sound[~same].all():
        return float("inf")
    difference = np.abs(answered[~same].astype(np.float64) - wanted[~same]).max()
    return float(difference / max(float(np.abs(wanted[sound]).max()), 1e-6))


def _logits(graph: Graph, given: Mapping[str, Array]) -> NDArray[np.float32]:
    """What the bodies answer in PyTorch."""
    values = _values_by_node(graph, given)
    logits: NDArray[np.float32] = values[graph.answer][0].float().numpy()
    return logits


@torch.no_grad()
def _values_by_node(graph: Graph, given: Mapping[str, Array]) -> dict[str, tuple[torch.Tensor, ...]]:
    """What each node of a graph without conditions gives."""
    values: dict[str, tuple[torch.Tensor, ...]] = {
        name: (torch.from_numpy(np.array(array)),) for name, array in given.items()
    }
    for node in graph.nodes:
        if node.kind == "function":
            body = graph.bodies[node.name]
            made = body(*(values[edge.source][edge.output] for edge in node.inputs))
            values[node.name] = (made,) if isinstance(made, torch.Tensor) else tuple(made)
    return values


def _locate(found: Departure, graph: Graph, given: Mapping[str, Array], wanted: Array, path: Path) -> Departure:
    """The same with the first operation that differs, on the sample that differs most."""
    answered = _ask(found.engine, "f32", path, given)
    sound = np.flatnonzero(np.isfinite(wanted).all(axis=1))
    worst = max(sound, key=lambda row: _part(answered[row : row + 1], wanted[row : row + 1]))
    row = {name: array[worst : worst + 1] for name, array in given.items()}
    known = {step.name: step for step in _steps(graph, row)}
    model = onnx_format.load(path)
    present = [name for node in model.graph.node for name in node.output if name in known]
    model.graph.output.extend(onnx_format.ValueInfoProto(name=name) for name in present)
    onnx_format.save(model, inner := path.with_name("inner.onnx"))
    values = _load(found.engine, "f32", inner)(row)
    for name in present:
        error = _part(values[name], known[name].value) if name in values else 0.0
        if error > _INNER:
            return replace(found, layer=known[name].layer, inner=error)
    return found


@dataclass(frozen=True, slots=True)
class _Step:
    """An operation in PyTorch: the name of its result in the file, where it stands, and that result."""

    name: str
    layer: str
    value: Array


@torch.no_grad()
def _steps(graph: Graph, given: Mapping[str, Array]) -> Iterator[_Step]:
    """Everything that PyTorch computes on the way, under the names that the exporter gives it."""
    values = _values_by_node(graph, given)
    for node in graph.nodes:
        if node.kind != "function":
            continue
        body = graph.bodies[node.name]
        assert isinstance(body, torch.nn.Module), "it was exported before"
        specs = tuple(graph[edge.source].outputs[edge.output] for edge in node.inputs)
        program = export_body(node, body, specs).exported_program
        assert program is not None, "made by torch.onnx.export"
        recorder = _Recorder(program.module(check_guards=False))
        recorder.run(*(values[edge.source][edge.output] for edge in node.inputs))
        answers = next(step for step in recorder.graph.nodes if step.op == "output").args[0]
        ends = {step: f"o{at}" for at, step in enumerate(answers if isinstance(answers, (tuple, list)) else (answers,))}
        for step, value in recorder.values.items():
            yield _Step(name=f"{node.name}/{ends.get(step, step.name)}", layer=_describe(step), value=value)


class _Recorder(fx.Interpreter):
    """Keeps the floating results of all operations."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Array] = {}

    def run_node(self, n: fx.Node) -> Any:  # Any: as PyTorch has it
        result = super().run_node(n)
        if n.op == "call_function" and isinstance(result, torch.Tensor) and result.is_floating_point():
            self.values[n] = result.detach().float().clone().numpy()
        return result


def _describe(step: fx.Node) -> str:
    """The operation, and the nearest weights at or before it."""
    operation = str(step.target).split(".")[1] if str(step.target).startswith("aten.") else str(step.target)
    seen, pending, first = {step}, [*step.all_input_nodes], True
    while pending:
        names = [str(node.target) for node in pending if node.op == "get_attr"]
        if names:
            path = names[0].removeprefix("module.")
            return f"{operation} {'of' if first else 'after'} {path.rpartition('.')[0] or path!r}"
        seen.update(pending)
        pending = [node for one in pending for node in one.all_input_nodes if node not in seen]
        first = False
    return f"{operation} of the input"
