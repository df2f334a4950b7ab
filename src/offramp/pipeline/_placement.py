"""Which of the candidates stay: trained together, judged on the tuning samples, priced on the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offramp import decide, transform
from offramp.decide import Placement, Target
from offramp.graph import Graph
from offramp.measure import Breakdown, Costs, Evidence
from offramp.measure.torch import breakdown

from ._chain import candidates, collect, costs_by_score
from ._choice import name_kind
from ._engine import Engine
from ._exports import Exports
from ._price import head_of, price
from ._problem import Problem
from ._request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The candidates that stay.

    Attributes:
        graph: With them alone.
        score: That costs least with them.
        costs: Of its exits, by the score that gates.
        clock: Seconds by exit, if they were timed.
        seen: Evidence of the tuning samples, with all candidates.
        found: What was tried and why these stay, as `result.json` holds it.
    """

    graph: Graph
    score: str
    costs: dict[str, Costs]
    clock: Costs | None
    seen: Evidence
    found: dict[str, Any]  # Any: JSON


def cheapest(request: Request, graph: Graph) -> dict[str, Costs]:
    """What the cheapest candidate costs if it is the only one, for every score that may gate."""
    parts = breakdown(graph)
    alone = min((parts.costs([at]) for at in range(len(parts.heads))), key=lambda costs: float(costs.per_exit[0]))
    return dict.fromkeys(candidates(request), alone)


def place(request: Request, graph: Graph, problem: Problem, engine: Engine, exports: Exports) -> Placed:
    """Drop the candidates that are not worth their cost.

    A budget is one of multiply-accumulates, so they are counted; else the engine that ships is timed. Of several scores
    that may gate, the one is taken that costs least with its best exits.

    Args:
        request: Of the run.
        graph: With all candidates, trained.
        problem: Of the run; the tuning samples alone are looked at.
        engine: That ships.
        exports: Of the run.
    """
    seen = collect(graph, problem, engine, exports, parts=["tune"])["tune"]
    goal = name_kind(request.target, seen)
    names = [name for name in candidates(request) if name in seen.scores]
    parts = {name: breakdown(transform.gate_by(graph, name)) for name in names}
    if goal.budget is None:
        timed = price(graph, problem.tune, engine, exports, batch=request.engine.batch, seed=request.seed)
        parts = {name: _with_score(timed, parts[name], breakdown(graph)) for name in parts}
    always = [len(graph.exits) - 2] if transform.has_fallback(graph) else []
    found = decide.placement(
        seen,
        parts,
        score=names,
        target=_promise(goal),
        budget=goal.budget,
        calibration=len(problem.calibrate),
        always=always,
    )
    kept = _kept(goal, found)
    smaller = transform.keep_exits(graph, kept)
    return Placed(
        graph=smaller,
        score=found.score,
        costs=costs_by_score(smaller, seen.scores),
        clock=None if goal.budget is not None else parts[found.score].costs(kept),
        seen=seen,
        found={**_describe(request, graph, parts[found.score], found, kept), "always": always},
    )


def _with_score(timed: Breakdown, counted: Breakdown, usual: Breakdown) -> Breakdown:
    """The times with another score than the one that was timed: its work takes as long as work in the network does."""
    more = (counted.heads - usual.heads) * timed.baseline / usual.baseline
    return replace(timed, gate_overheads=np.maximum(timed.gate_overheads + more, 0.0))


def _promise(goal: Target) -> Target:
    """What is promised; the usual if nothing is."""
    aim = decide.aim_at(goal.limit, goal.margin)
    return Target(max_loss=aim, confidence=goal.confidence, kind=goal.kind or "agreement")


def _kept(goal: Target, found: Placement) -> tuple[int, ...]:
    """The best choice; a knee needs an exit to have a curve."""
    return next((trial.kept for trial in found.trials if trial.kept), ()) if goal.mode == "knee" else found.kept


def _describe(
    request: Request, graph: Graph, parts: Breakdown, found: Placement, kept: tuple[int, ...]
) -> dict[str, Any]:  # Any: JSON
    """As JSON."""
    timed = request.target.budget is None
    heads = [head_of(graph, at) for at in range(len(parts.heads))]
    reached = np.cumsum(parts.stages) / parts.baseline
    described = [
        {
            "cut": cut,
            "head": write_head(head.recipe or {}),
            "reached": float(before),
            "head_cost": float(cost / parts.baseline),
            "border_cost": float(gate_overhead / parts.baseline),
        }
        for cut, head, before, cost, gate_overhead in zip(
            name_cuts(graph), heads, reached[:-1], parts.heads, parts.gate_overheads, strict=True
        )
    ]
    return {
        "judged_by": "time" if timed else "work",
        "batch": request.engine.batch if timed else None,
        "baseline": parts.baseline,
        "allowed_loss": found.allowed_loss,
        "candidates": described,
        "kept": list(kept),
        "score": found.score,
        "scores": [
            {"score": name, "kept": list(one.kept), "relative": one.relative, "loss": one.loss}
            for name, one in found.by_score.items()
        ],
        "tried": found.tried,
        "trials": [
            {"kept": list(one.kept), "cost": one.cost, "relative": one.relative, "loss": one.loss}
            for one in found.trials
        ],
    }


def name_cuts(graph: Graph) -> list[str]:
    """The cut point of each exit that is there; a network with a fallback behind it has one at its output."""
    stage = next(node for node in graph.nodes if node.role == "stage")
    cuts = [*(stage.recipe or {})["cuts"], "output"]
    return [cuts[at] for at in transform.exit_numbers(graph)]


def write_head(recipe: Mapping[str, Any]) -> str:  # Any: JSON
    """A recipe as `Exits.head` takes it.

    Example:
        >>> write_head({"kind": "light", "options": {"width": 24}}), write_head({"kind": "pool", "options": {}})
        ('light:width=24', 'pool')
    """
    given = recipe.get("options", {})
    options = given["table"] if "table" in given else ",".join(f"{name}={value}" for name, value in given.items())
    return f"{recipe['kind']}:{options}" if options else str(recipe["kind"])
