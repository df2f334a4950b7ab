"""Three rounds over the test images: what each chooses on two thirds, and what that does to the other third."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _frozen import ENGINE
from _protocol import compare, milliseconds, save
from numpy.typing import NDArray

from offramp import decide, measure, transform
from offramp.decide import Decision, Target, Turn
from offramp.graph import Graph
from offramp.measure import Breakdown, Costs, Evidence, OperatingPoint
from offramp.pipeline.parts import Exports, time_network
from offramp.run import Samples

GOALS = {
    "99 % promised at 95 %": Target(max_loss=0.01, confidence=0.95, kind="agreement"),
    "99 % to expect": Target(max_loss=0.01, confidence=0.5, kind="agreement"),
    "98 % to expect": Target(max_loss=0.02, confidence=0.5, kind="agreement"),
    "97 % to expect": Target(max_loss=0.03, confidence=0.5, kind="agreement"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of several that a round chooses from.

    Attributes:
        label: Such as the lambda.
        evidence: Of all test images.
        parts: What its parts cost.
        score: That gates.
        shared: One threshold for all exits.
        place: Whether the round chooses among the exits.
    """

    label: str
    evidence: Evidence
    parts: Breakdown
    score: str
    shared: bool = False
    place: bool = False

    def costs(self, kept: Sequence[int]) -> Costs:
        """What each of these exits costs in multiply-accumulates, without what gates take on the clock."""
        return replace(self.parts, gate_overheads=np.zeros(len(self.parts.heads))).costs(kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round chose, and what it did to the images that it had not seen.

    Attributes:
        variant: The chosen one.
        kept: Its exits.
        decision: Its point.
        positions: [S] of the test images among all.
        taken: [S] the exit that each leaves at.
        answers: [S] what it answers.
        cost: [S] relative MACs of each.
    """

    variant: Variant
    kept: tuple[int, ...]
    decision: Decision
    positions: NDArray[np.int64]
    taken: NDArray[np.int64]
    answers: NDArray[np.int64]
    cost: NDArray[np.float64]


def play(variants: Sequence[Variant], target: Target, seed: int) -> list[Round]:
    """Three rounds; in each the variant, its exits and its thresholds that cost least on tune and calibrate."""
    rounds = []
    for turn in decide.turns(len(variants[0].evidence), seed=seed):
        tried = [_decide(variant, target, turn) for variant in variants]
        rounds.append(min(tried, key=lambda one: one[0])[1])
    return rounds


def _decide(variant: Variant, target: Target, turn: Turn) -> tuple[float, Round]:
    """Expected cost on the tuning images of what is certified, and the round."""
    tune, calibrate, test = (variant.evidence.subset(part) for part in (turn.tune, turn.calibrate, turn.test))
    kept = tuple(range(variant.evidence.exits - 1))
    if variant.place:
        kept = decide.placement(
            tune, variant.parts, score=variant.score, target=target, calibration=len(calibrate)
        ).kept
    costs = variant.costs(kept)
    tune, calibrate, test = (part.keep(kept) for part in (tune, calibrate, test))
    drawn = measure.frontier(tune, costs, score=variant.score, shared=variant.shared)
    decision = decide.thresholds(
        drawn, calibrate, max_loss=target.limit, confidence=target.confidence, kind=target.kind_with(labels=True)
    )
    taken = measure.exits_taken(test, decision.thresholds, variant.score)
    expected = measure.operate(tune, costs, decision.thresholds, score=variant.score).macs
    found = Round(
        variant=variant, kept=kept, decision=decision, positions=turn.test, taken=taken,
        answers=test.predictions[np.arange(len(taken)), taken], cost=costs.relative[taken],
    )  # fmt: skip
    return expected, found


def judge(rounds: Sequence[Round]) -> dict[str, Any]:  # Any: JSON
    """Means over all images, each in the round in whose choices it had no part."""
    seen = [one.variant.evidence.subset(one.positions) for one in rounds]
    answers, reference = (
        np.concatenate(each) for each in ([one.answers for one in rounds], [one.reference for one in seen])
    )
    labels = np.concatenate([one.labels for one in seen if one.labels is not None])
    promises = [one.decision.guarantee for one in rounds]
    return {
        **compare(answers, reference, labels),
        "relative_macs": float(np.concatenate([one.cost for one in rounds]).mean()),
        "certified_rounds": sum(bool(promise and promise.status == "certified") for promise in promises),
        "chosen": [one.variant.label for one in rounds],
        "kept": [list(one.kept) for one in rounds],
    }


def row(network: str, method: str, goal: str, rounds: Sequence[Round], **more: Any) -> dict[str, Any]:  # Any: JSON
    """A row of the table."""
    found = {"network": network, "method": method, "goal": goal, **judge(rounds), **more}
    print(json.dumps(found), flush=True)
    return found


def curve(variants: Sequence[Variant]) -> list[list[float]]:
    """Relative MACs, agreement and accuracy of the best points on all test images, for the picture alone."""
    points: list[OperatingPoint] = []
    for one in variants:
        costs = one.costs(range(one.evidence.exits - 1))
        points += measure.frontier(one.evidence, costs, score=one.score, shared=one.shared).points
    best: list[list[float]] = []
    for point in sorted(points, key=lambda point: (point.macs, -point.agreement)):
        if not best or point.agreement > best[-1][1]:
            best.append([point.relative_macs, point.agreement, point.accuracy or 0.0])
    return best


def clock(graph: Graph, one: Round, samples: Samples, work: Path, name: str, seed: int) -> dict[str, Any]:  # Any: JSON
    """One round's choice on the clock, over the images that it has not seen."""
    fewer = transform.gate_by(transform.keep_exits(graph, one.kept), one.variant.score)
    thresholds = one.decision.thresholds
    exports = Exports(work)
    model = save(exports, fewer, work / f"{name}.onnx", thresholds)
    seen = one.variant.evidence.subset(one.positions).keep(one.kept)
    times = time_network(
        fewer, model, test=samples.subset(one.positions), evidence=seen, thresholds=thresholds,
        score=one.variant.score, engine=ENGINE, exports=exports, seed=seed,
    )  # fmt: skip
    return milliseconds(times) | {
        "round_macs": float(one.cost.mean()), "thresholds": [float(value) for value in thresholds],
        "exit_rates": (np.bincount(one.taken, minlength=len(one.kept) + 1) / len(one.taken)).tolist(),
    }  # fmt: skip
