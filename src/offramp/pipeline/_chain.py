"""From problem to a chosen operating point: attach exits, train heads, gather evidence, decide.

Shape letters: S samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom

from offramp import attach, decide, learn, transform, zoo
from offramp.decide import Decision, Ranking
from offramp.errors import CurveError
from offramp.export import onnx
from offramp.graph import Gate, Graph
from offramp.measure import Costs, Evidence, Frontier, OperatingPoint, evidence, evidence_by_passes
from offramp.measure.torch import path_costs
from offramp.nn import Normalize
from offramp.nn.scores import SCORES, gate_of
from offramp.run import Samples
from offramp.store._folder import WorkFolder

from ._choice import choose_from, draw, name_kind
from ._engine import Engine
from ._exports import Exports
from ._problem import Problem
from ._request import LEARNED, Request
from ._screen import Screen
from ._search import Search

FREE_SCORES = ("max_probability", "entropy", "margin")  # cost next to nothing, so the evidence always has them
BATCH = 64
LOOKED_AT = 64  # samples by which labels are compared with the network, before it is trained
GUESSED = 0.05  # chance to be right so often without knowing anything, above which a warning is due
HELD_OUT = ("tune", "calibrate", "test")
# a trained backbone moves slowly, under new heads that also learn from it
JOINT: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.05, "backbone_rate": 0.3, "weight_decay": 5e-4,
                         "distill": 0.5}  # fmt: skip
SMALLEST, STEPS = 32, 25  # of a training batch, and of an epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Everything that a run found out before the clock starts.

    Attributes:
        graph: With trained heads, and gates that compare `score`.
        score: Its name.
        ranking: Of all scores in the evidence.
        costs: Of the exits of `graph`.
        frontiers: Name of each score in the evidence -> its frontier, drawn on the tuning samples.
        decision: Which point, and what is promised.
        evidence: By part: tune, calibrate, test.
        test: The chosen point on the test samples.
        test_loss: Mean loss there, of the kind that was promised; None without a promise.
        test_interval: Between which limits the loss of all samples lies, by the test samples, with 95 % confidence.
        knee: Position of the knee on the frontier, if it has one.
        placement: Of which candidates the exits were chosen, and what the alternatives would cost; None if they were
            named.
        clock: Seconds by exit that the point was chosen by, or None.
        precision: Which precisions were tried, and what stays in float, as `result.json` holds it.
    """

    graph: Graph
    score: str
    ranking: Ranking
    costs: Costs
    frontiers: Mapping[str, Frontier]
    decision: Decision
    evidence: dict[str, Evidence]
    test: OperatingPoint
    test_loss: float | None
    test_interval: tuple[float, float] | None
    knee: int | None
    placement: dict[str, Any] | None = None  # Any: JSON
    clock: Costs | None = None
    precision: dict[str, Any] | None = None  # Any: JSON

    @property
    def frontier(self) -> Frontier:
        """That of the score that gates."""
        return self.frontiers[self.score]


def add_exits(request: Request, problem: Problem) -> Graph:
    """The network with untrained exits, or candidates for them; the scores that may gate come first."""
    names = request.scoring.names or _all_scores(request)
    where, heads = _exits(request, problem)
    scores = (*names, *(name for name in FREE_SCORES if name not in names))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        return attach.exits(
            problem.model.module,
            problem.model.example,
            count=0 if request.exits.count == "auto" else request.exits.count,
            placement=where,
            head=heads,
            scores=scores,
            normalize=None if problem.mean is None else Normalize(problem.mean, problem.std or ()),
            reuse_logits=request.exits.reuse_logits,
            ensemble_heads=request.exits.ensemble_heads,
            logits=problem.model.logits,
        )


def _exits(request: Request, problem: Problem) -> tuple[str | tuple[str | int, ...], str | Sequence[str]]:
    """Cut points and heads; for automatic exits those of the candidates, unless they are named."""
    if not request.exits.is_auto or not isinstance(request.exits.placement, str):
        return request.exits.placement, request.head
    assert isinstance(request.head, str), "checked by the request"
    model = problem.model
    found = attach.find_candidates(
        model.module, model.example, placement=request.exits.placement, head=request.head, logits=model.logits
    )
    return tuple(one.cut for one in found), [one.head for one in found]


def candidates(request: Request) -> tuple[str, ...]:
    """Names of the scores of which one will gate."""
    scoring = request.scoring
    return (scoring.names or _all_scores(request)) if scoring.auto else scoring.names[:1]


def _all_scores(request: Request) -> tuple[str, ...]:
    """The scores that mean something in this regime."""
    return tuple(name for name in SCORES if name != LEARNED or request.training.regime == "cumulative")


def costs_by_score(graph: Graph, scores: Iterable[str] | None = None) -> dict[str, Costs]:
    """What each exit costs if the gates compare this score, for every score that the graph computes.

    A gate's score is charged like all else that runs, and some are not free.

    Args:
        graph: With exits.
        scores: Names, if the graph may have no exit at all.
    """
    return {name: path_costs(transform.gate_by(graph, name)) for name in scores or gates_by_score(graph)}


def check_goal(request: Request, costs: Mapping[str, Costs]) -> None:
    """Refuse a budget that no thresholds can meet, whichever score will gate, before any work is done.

    Raises:
        CurveError: Even leaving at the first exit costs more.
    """
    goal, cheapest = request.target, max(float(costs[name].relative[0]) for name in candidates(request))
    if goal.budget is not None and goal.budget < cheapest:
        raise CurveError(
            f"target.budget must be {cheapest:.3f} or more, what the first exit costs, but is {goal.budget:g}. "
            "Raise it, or place an exit earlier.",
            about=["target.budget"],
        )


def warn_of_guessing(problem: Problem, screen: Screen) -> None:
    """Say so if the network knows the labels no better than chance: then one of them is not what it seems.

    Classes in another order than the network's make everything look harmless, since hardly an answer is right before.
    """
    some = problem.tune.subset(slice(LOOKED_AT))
    if some.labels is None:
        return
    right = int((answer_in_float(problem, some) == some.labels).sum())
    if binom.sf(right - 1, len(some), 1 / problem.model.classes) > GUESSED:
        screen.warn(
            f"the network is right about {right} of {len(some)} samples, as by guessing: look at weights, "
            "class_names, mean and std.",
            about=["weights", "class_names", "mean", "std"],
        )


def train(request: Request, graph: Graph, samples: Samples, work: WorkFolder, screen: Screen) -> Graph:
    """The graph with trained exits; goes on from the work folder's checkpoint if it is to resume."""
    kept: dict[str, Any] = {"checkpoint": work.checkpoint, "resume": request.resume, "progress": screen.watch}
    return learn_exits(request, graph, samples, batch=batch_size(samples), epochs=request.training.epochs, **kept)


def batch_size(samples: Samples) -> int:
    """Samples per step of training; of few samples still enough steps."""
    return max(2, min(learn.DistillSettings().batch, len(samples), max(SMALLEST, len(samples) // STEPS)))


def learn_exits(
    request: Request, graph: Graph, samples: Samples, *, batch: int, epochs: int, **kept: Any
) -> Graph:  # Any: as the functions of `learn` take it
    """The graph with trained exits, by the regime that is asked for.

    Args:
        request: Of the run.
        graph: With untrained exits.
        samples: To learn from.
        batch: Samples per step.
        epochs: Passes over them.
        **kept: Checkpoint, resume and progress.
    """
    shared: dict[str, Any] = {  # Any: of different types
        "epochs": epochs, "seed": request.seed, "batch": batch, "precision": request.training.precision,
    }  # fmt: skip
    if request.training.regime == "post":
        asked = request.training
        told: dict[str, Any] = {
            "targets": asked.targets, "sample_weighting": asked.sample_weighting, "mixup": asked.mixup,
        }  # fmt: skip
        return learn.distill_heads(graph, samples, learn.DistillSettings(**shared, **told), **kept)
    if request.training.regime == "cumulative":
        warm = epochs // 2
        shared |= {"epochs": epochs - warm, "warm_epochs": warm}
        shared |= {} if request.training.price is None else {"price": request.training.price}
        return learn.cumulative(graph, samples, learn.CumulativeSettings(**shared), **kept)
    return learn.joint(graph, samples, learn.JointSettings(regime=request.training.regime, **JOINT, **shared), **kept)


def collect(
    graph: Graph, problem: Problem, engine: Engine, exports: Exports, *, known: Evidence | None = None,
    parts: Sequence[str] = HELD_OUT,
) -> dict[str, Evidence]:  # fmt: skip
    """Evidence on the held-out parts, from the engine and precision that ships; references from the float network.

    Args:
        graph: With exits, or without if others were tried before.
        problem: Of the run.
        engine: That ships.
        exports: Of the run.
        known: Evidence of the tuning samples with exits that were tried before.
        parts: Names of the parts.
    """
    runtime = engine.load_dense(exports.save_dense(graph, "dense"))
    gates = gates_by_score(graph)
    found = {}
    for name in parts:
        samples = problem.parts[name]
        reference = known.reference if known and name == "tune" else answer_in_float(problem, samples)
        seen = evidence(runtime, samples, gates=gates, batch=BATCH, reference=reference)
        if known and not gates:  # no exit is worth its cost: every score has a value for none of them
            none = np.empty((len(seen), 0), np.float32)
            seen = replace(seen, scores=dict.fromkeys(known.gates, none), gates=known.gates)
        found[name] = seen
    return found


def collect_shipped(chosen: Chosen, problem: Problem, engine: Engine, exports: Exports) -> dict[str, Evidence]:
    """The same evidence from the file with conditions itself, of the score that gates alone.

    For precisions in which its dense twin answers a little differently: where an `If` begins, values are rounded.
    """
    runtime = engine.load(exports.save_scratch(chosen.graph, "shipped"))
    return {
        name: replace(
            evidence_by_passes(runtime, problem.parts[name], batch=BATCH), reference=chosen.evidence[name].reference
        )
        for name in HELD_OUT
    }


def gates_by_score(graph: Graph) -> dict[str, Gate]:
    """Direction and extremes of every score that the graph computes."""
    scores = [node for node in graph.nodes if node.role == "score"]
    return {onnx.score_name(node): gate_of(graph.bodies[node.name]) for node in scores}


def answer_in_float(problem: Problem, samples: Samples) -> NDArray[np.int64]:
    """[S] what the user's own module answers, in PyTorch and float32."""
    parts = [slice(start, min(start + BATCH, len(samples))) for start in range(0, len(samples), BATCH)]
    answers = [logits_in_float(problem, samples.take(part)).argmax(axis=1) for part in parts]
    return np.concatenate(answers).astype(np.int64)


@torch.no_grad()
def logits_in_float(problem: Problem, taken: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:  # Any: pixels, tokens
    """[B, K] the logits of the user's own module for some samples, in PyTorch and float32."""
    normalize = None if problem.mean is None else Normalize(problem.mean, problem.std or ())
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in taken.items()}
    logits: NDArray[np.float32] = _logits(problem.model, tensors, normalize).numpy()
    return logits


def _logits(model: zoo.LoadedModel, tensors: dict[str, torch.Tensor], normalize: Normalize | None) -> torch.Tensor:
    """Called as its example is: by keyword or with one tensor."""
    first = next(iter(tensors))
    if normalize is not None:
        tensors[first] = normalize(tensors[first])
    if isinstance(model.example, dict):
        keyword = tensors if len(model.example) > 1 else {next(iter(model.example)): tensors[first]}
        result = model.module(**keyword)
    else:
        result = model.module(tensors[first])
    return model.find_logits(result)


def choose(
    request: Request, graph: Graph, costs: Mapping[str, Costs], found: dict[str, Evidence], *, score: str | None = None,
    clock: Costs | None = None,
) -> Chosen:  # fmt: skip
    """Draw the frontiers on tune, choose the score by them unless it is, prove on calibrate, look at test.

    Args:
        request: Of the run.
        graph: With trained exits.
        costs: Of its exits, by the score that gates.
        found: Evidence by part.
        score: That was chosen before.
        clock: Seconds by exit, if they are known: then a promise is proven along the curve by time.
    """
    goal = name_kind(request.target, found["calibrate"])
    quality = decide.quality_for(goal.kind) if goal.kind else "agreement"
    tune, allowed = found["tune"], candidates(request)
    frontiers = {
        name: draw(request.search if name in allowed else Search(), tune, costs[name], score=name, quality=quality)
        for name in tune.scores
    }
    ranking = decide.rank_scores(frontiers, max_loss=goal.max_loss)
    score = score or next(name for name in ranking.areas if name in allowed)
    timed = None if clock is None else draw(request.search, tune, clock, score=score, quality=quality)
    picked = choose_from(frontiers[score], goal, found, timed=timed)
    return Chosen(
        graph=transform.gate_by(graph, score),
        score=score,
        ranking=ranking,
        costs=costs[score],
        frontiers=frontiers,
        decision=picked.decision,
        evidence=found,
        test=picked.test,
        test_loss=picked.test_loss,
        test_interval=picked.test_interval,
        knee=picked.knee,
        clock=clock,
    )
