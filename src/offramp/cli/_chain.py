"""From material to a chosen operating point: attach exits, train heads, gather evidence, decide.

Shape letters: S samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from offramp import build, learn
from offramp.decide import Decision
from offramp.errors import CurveError
from offramp.export import onnx
from offramp.graph import Gate, Graph
from offramp.measure import Costs, Evidence, Frontier, OperatingPoint, evidence
from offramp.run import Samples

from ._choice import pick
from ._engine import Engine
from ._exports import Exports
from ._folder import WorkFolder
from ._material import Material
from ._request import Goal, Request
from ._screen import Screen

FREE_SCORES = ("max_probability", "entropy", "margin")  # cost next to nothing, so the evidence always has them
BATCH = 64
SMALLEST, STEPS = 32, 25  # of a training batch, and of an epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Everything that a run found out before the clock starts.

    Attributes:
        graph: With trained heads.
        costs: Of its exits.
        frontier: Drawn on the tuning samples.
        decision: Which point, and what is promised.
        evidence: By part: tune, calibrate, test.
        test: The chosen point on the test samples.
        test_loss: Mean loss there, of the kind that was promised; None without a promise.
        knee: Position of the knee on the frontier, if it has one.
    """

    graph: Graph
    costs: Costs
    frontier: Frontier
    decision: Decision
    evidence: dict[str, Evidence]
    test: OperatingPoint
    test_loss: float | None
    knee: int | None


def attach(request: Request, material: Material) -> Graph:
    """The network with untrained exits."""
    scores = (request.score, *(name for name in FREE_SCORES if name != request.score))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        return build.attach_exits(
            material.model.module,
            material.model.example,
            exits=request.exits,
            placement=request.placement,
            head=request.head,
            scores=scores,
            normalize=None if material.mean is None else build.Normalize(material.mean, material.std or ()),
        )


def check_goal(goal: Goal, costs: Costs) -> None:
    """Refuse a budget that no thresholds can meet, before any work is done.

    Raises:
        CurveError: Even leaving at the first exit costs more.
    """
    cheapest = float(costs.relative[0])
    if goal.budget is not None and goal.budget < cheapest:
        raise CurveError(
            f"--budget must be {cheapest:.3f} or more, what the first exit costs, but is {goal.budget:g}. "
            "Raise it, or place an exit earlier."
        )


def train_heads(request: Request, graph: Graph, samples: Samples, work: WorkFolder, screen: Screen) -> Graph:
    """The graph with trained heads; goes on from the work folder's checkpoint if it is to resume."""
    usual = learn.PostSettings().batch
    batch = max(2, min(usual, len(samples), max(SMALLEST, len(samples) // STEPS)))  # few samples: still enough steps
    settings = learn.PostSettings(epochs=request.epochs, seed=request.seed, batch=batch)
    return learn.post(
        graph, samples, settings, checkpoint=work.checkpoint, resume=request.resume, progress=screen.lively
    )


def collect(graph: Graph, material: Material, engine: Engine, exports: Exports) -> dict[str, Evidence]:
    """Evidence on the held-out parts, from the engine and precision that ships; references from the float network."""
    runtime = engine.load_dense(exports.save_dense(graph, "dense"))
    gates = gates_by_score(graph)
    found = {}
    for name in ("tune", "calibrate", "test"):
        samples = material.parts[name]
        found[name] = evidence(runtime, samples, gates=gates, batch=BATCH, reference=answer_in_float(material, samples))
    return found


def gates_by_score(graph: Graph) -> dict[str, Gate]:
    """Direction and extremes of every score that the graph computes."""
    gates = {}
    for node in graph.nodes:
        if node.role == "score":
            body: Any = graph.bodies[node.name]  # Any: bodies are opaque; this one is a score
            gate = Gate(direction=body.direction, stop_all=body.stop_all, stop_none=body.stop_none)
            gates[onnx.score_name(node)] = gate
    return gates


@torch.no_grad()
def answer_in_float(material: Material, samples: Samples) -> NDArray[np.int64]:
    """[S] what the user's own module answers, in PyTorch and float32."""
    model = material.model
    normalize = None if material.mean is None else build.Normalize(material.mean, material.std or ())
    answers = []
    for start in range(0, len(samples), BATCH):
        taken = samples.take(slice(start, min(start + BATCH, len(samples))))
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in taken.items()}
        answers.append(_logits(model, tensors, normalize).argmax(dim=1).numpy())
    return np.concatenate(answers).astype(np.int64)


def _logits(
    model: build.LoadedModel, tensors: dict[str, torch.Tensor], normalize: build.Normalize | None
) -> torch.Tensor:
    """Called as its example is: by keyword or with one tensor."""
    first = next(iter(tensors))
    if normalize is not None:
        tensors[first] = normalize(tensors[first])
    if isinstance(model.example, dict):
        keyword = tensors if len(model.example) > 1 else {next(iter(model.example)): tensors[first]}
        result = model.module(**keyword)
    else:
        result = model.module(tensors[first])
    logits = result if isinstance(result, torch.Tensor) else result["logits"] if hasattr(result, "keys") else result[0]
    assert isinstance(logits, torch.Tensor)
    return logits


def choose(request: Request, graph: Graph, costs: Costs, found: dict[str, Evidence]) -> Chosen:
    """Draw the frontier on tune, decide and prove on calibrate, look at test."""
    picked = pick(request.goal, request.search, found, costs, request.score)
    return Chosen(
        graph=graph,
        costs=costs,
        frontier=picked.frontier,
        decision=picked.decision,
        evidence=found,
        test=picked.test,
        test_loss=picked.test_loss,
        knee=picked.knee,
    )
