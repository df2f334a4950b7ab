"""The record of a run that was just made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from offramp import report
from offramp.decide import Guarantee, Ranking, Target
from offramp.measure import Costs, Evidence, Frontier, OperatingPoint, macs_at
from offramp.store._machine import describe_command, describe_machine, describe_versions, without_folders
from offramp.store.record import (
    AloneRecord,
    BaselineRecord,
    ChosenRecord,
    ClockRecord,
    CurveRecord,
    GoalRecord,
    GuaranteeRecord,
    InPrecisionRecord,
    MachineRecord,
    ModelRecord,
    OptionsRecord,
    PlacementRecord,
    PointRecord,
    PrecisionsRecord,
    RankedScoreRecord,
    RunRecord,
    SamplesRecord,
    ScoresRecord,
    SearchRecord,
)

from ._batches import record_latency
from ._times import first_times

if TYPE_CHECKING:  # they load PyTorch, which those do without that only tell a result again
    from ._chain import Chosen
    from ._clock import Timing
    from ._problem import Problem
    from ._request import Request
    from ._search import Search

ACCEPTED = 0.01  # loss at which scores are compared if no promise was asked


def make_result(
    request: Request, problem: Problem, chosen: Chosen, timings: Mapping[int, Timing], warnings: Sequence[str]
) -> RunRecord:
    """The record of a run.

    Args:
        request: What was asked for.
        problem: Network and samples.
        chosen: Everything that was found out before the clock started.
        timings: Samples per call -> what was timed.
        warnings: What was warned of.

    Returns:
        The record, with its verdict.
    """
    versions = describe_versions()
    placed = chosen.placement and {**chosen.placement, "thresholds": chosen.decision.thresholds}
    run = RunRecord(
        offramp=versions["offramp"],
        versions=versions,
        command=describe_command(),
        options=OptionsRecord.model_validate(request.options()),
        machine=MachineRecord.model_validate(describe_machine()),
        seed=request.seed,
        engine=request.engine.name,
        precision=request.engine.precision,
        precisions=None if chosen.precision is None else PrecisionsRecord.model_validate(chosen.precision),
        threads=request.engine.threads,
        held_out=problem.held_out,
        samples=SamplesRecord(**{name: len(part) for name, part in problem.parts.items()}),
        model=_record_model(request, problem, chosen),
        score=chosen.score,
        scores=_record_scores(request, chosen),
        goal=record_goal(request.target),
        search=record_search(request.search),
        exit_macs=tuple(chosen.costs.expect("macs").per_exit.tolist()),
        clock=_record_clock(chosen.clock),
        baseline=_record_baseline(problem, chosen, timings),
        chosen=_record_chosen(chosen, timings),
        guarantee=record_guarantee(chosen.decision.guarantee, chosen.test_loss, chosen.test_interval),
        frontier=tuple(record_point(point) for point in chosen.frontier.points),
        frontier_quality=chosen.frontier.quality,
        knee=chosen.knee,
        exits_alone=_judge_exits(chosen),
        placement=None if placed is None else PlacementRecord.model_validate(placed),
        warnings=tuple(warnings),
    )
    return report.with_verdict(run.model_copy(update={"times": first_times(run)}))


def record_goal(goal: Target) -> GoalRecord:
    """A goal as it is recorded."""
    return GoalRecord.model_validate(goal.to_json())


def record_search(search: Search) -> SearchRecord:
    """A search as it is recorded."""
    return SearchRecord(**asdict(search))


def record_point(point: OperatingPoint) -> PointRecord:
    """An operating point as it is recorded."""
    return PointRecord(**asdict(point))


def record_guarantee(
    guarantee: Guarantee | None, test_loss: float | None, test_interval: tuple[float, float] | None = None
) -> GuaranteeRecord | None:
    """The promise as it is recorded, with what the test samples say of it; None if nothing was asked."""
    if guarantee is None:
        return None
    return GuaranteeRecord(
        kind=guarantee.kind,
        max_loss=guarantee.max_loss,
        confidence=guarantee.confidence,
        status=guarantee.status,
        p_value=guarantee.p_value,
        calibration_samples=guarantee.calibration_samples,
        margin=guarantee.margin,
        test_loss=test_loss,
        test_interval=test_interval,
        remedy=guarantee.remedy,
    )


def record_scores(
    frontiers: Mapping[str, Frontier],
    ranking: Ranking,
    *,
    gates_by: str,
    auto: bool,
    candidates: Sequence[str],
    accepted: float | None,
) -> ScoresRecord:
    """All scores side by side, the one that saves most first; judged on the tuning samples.

    Args:
        frontiers: Name of each score -> its curve.
        ranking: The order of the scores.
        gates_by: The score that the gates compare.
        auto: Whether the best of the candidates was chosen.
        candidates: The scores that could gate.
        accepted: The promised loss, if there is one.
    """
    loss = ACCEPTED if accepted is None else accepted
    drawn = frontiers[gates_by]
    return ScoresRecord(
        auto=auto,
        area_up_to=ranking.up_to,
        accepted_loss=loss,
        full_quality=float(drawn.qualities[0] + drawn.losses[0]),
        ranked=tuple(
            RankedScoreRecord(
                score=name,
                candidate=name in candidates,
                area=value,
                relative_macs=macs_at(frontiers[name], loss),
                frontier=_record_curve(frontiers[name]),
            )
            for name, value in ranking.areas.items()
        ),
    )


def judge_alone(parts: Sequence[Evidence], relative_macs: Sequence[float]) -> tuple[AloneRecord, ...]:
    """What each exit would be as a plain smaller network, with no other to ask.

    Args:
        parts: Evidence of all held-out samples.
        relative_macs: What each exit costs without gates and other heads, as a share of the original network.
    """
    return tuple(
        AloneRecord(
            exit=at,
            agreement=float(np.mean(np.concatenate([part.predictions[:, at] == part.reference for part in parts]))),
            accuracy=_share_right([_right(part, at) for part in parts]),
            relative_macs=cost,
        )
        for at, cost in enumerate(relative_macs)
    )


def accuracy_alone(test: Evidence) -> float | None:
    """Share of right answers of the original network; None without labels."""
    return None if test.labels is None else float((test.reference == test.labels).mean())


def _record_model(request: Request, problem: Problem, chosen: Chosen) -> ModelRecord:
    from ._placement import name_cuts  # it loads PyTorch

    names = problem.class_names
    return ModelRecord(
        reference=without_folders(request.model),
        classes=problem.model.classes,
        class_names=None if names is None else tuple(names),
        inputs={name: tuple(shape) for name, shape in problem.model.shapes.items()},
        dtypes={node.name: node.outputs[0].dtype for node in chosen.graph.inputs},
        exits=tuple(chosen.graph.exits),
        cuts=tuple(name_cuts(chosen.graph)),
    )


def _record_scores(request: Request, chosen: Chosen) -> ScoresRecord:
    from ._chain import candidates

    return record_scores(
        chosen.frontiers,
        chosen.ranking,
        gates_by=chosen.score,
        auto=request.scoring.auto,
        candidates=candidates(request),
        accepted=request.target.max_loss,
    )


def _record_curve(drawn: Frontier) -> CurveRecord:
    return CurveRecord(
        relative_macs=tuple(point.relative_macs for point in drawn.points), quality=tuple(drawn.qualities.tolist())
    )


def _record_clock(clock: Costs | None) -> ClockRecord | None:
    """Seconds by exit, from which a sweep chooses again; None if the point was chosen by work."""
    return (
        None
        if clock is None
        else ClockRecord(exit_s=tuple(clock.expect("seconds").per_exit.tolist()), baseline_s=clock.baseline)
    )


def _judge_exits(chosen: Chosen) -> tuple[AloneRecord, ...]:
    from offramp.measure.torch import count_macs
    from offramp.transform import backbone

    macs = count_macs(chosen.graph)
    plain = [
        sum(macs[node.name] for node in backbone(chosen.graph, exit_).nodes if node.name in macs)
        for exit_ in chosen.graph.exits
    ]
    return judge_alone(list(chosen.evidence.values()), [cost / chosen.costs.baseline for cost in plain])


def _right(part: Evidence, at: int) -> NDArray[np.bool_] | None:
    """Which samples exit `at` answers rightly; None without labels."""
    return None if part.labels is None else np.asarray(part.predictions[:, at] == part.labels)


def _share_right(parts: Sequence[NDArray[np.bool_] | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return float(np.mean(np.concatenate(known))) if len(known) == len(parts) else None


def _record_baseline(problem: Problem, chosen: Chosen, timings: Mapping[int, Timing]) -> BaselineRecord:
    from offramp.transform import backbone  # it loads PyTorch

    test = chosen.evidence["test"]
    own = test.predictions[:, chosen.graph.exits.index(backbone(chosen.graph).answer)]
    floating = {batch: timing.floating for batch, timing in timings.items()}
    return BaselineRecord(
        accuracy=accuracy_alone(test),
        macs=chosen.costs.baseline,
        parameters=sum(weight.numel() for weight in problem.model.module.parameters()),
        in_precision=InPrecisionRecord(
            accuracy=None if test.labels is None else float((own == test.labels).mean()),
            agreement=float((own == test.reference).mean()),
        ),
        latency_s={batch: record_latency(timing.baseline) for batch, timing in timings.items()},
        float_latency_s={batch: record_latency(one) for batch, one in floating.items() if one is not None},
        float_gain_interval=_known({batch: timing.float_gain_interval for batch, timing in timings.items()}),
    )


def _known(found: Mapping[int, tuple[float, float] | None]) -> dict[int, tuple[float, float]]:
    return {batch: limits for batch, limits in found.items() if limits is not None}


def _record_chosen(chosen: Chosen, timings: Mapping[int, Timing]) -> ChosenRecord:
    return ChosenRecord(
        **asdict(chosen.test),
        latency_s={batch: record_latency(timing.ours) for batch, timing in timings.items()},
        gain={batch: timing.gain for batch, timing in timings.items()},
        gain_interval=_known({batch: timing.gain_interval for batch, timing in timings.items()}),
        gain_to_float={batch: timing.gain_to_float for batch, timing in timings.items()},
        gain_to_float_interval=_known({batch: timing.gain_to_float_interval for batch, timing in timings.items()}),
        efficiency={batch: timing.efficiency for batch, timing in timings.items()},
        ideal_latency_s={batch: timing.ideal_s for batch, timing in timings.items()},
        empty_latency_s={batch: timing.empty_s for batch, timing in timings.items()},
    )
