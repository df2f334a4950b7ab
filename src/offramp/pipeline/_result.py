"""Every number of a run, with how it was come by, as `result.json` holds it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from offramp.decide import Guarantee, Ranking
from offramp.measure import Costs, Evidence, Frontier, OperatingPoint, macs_at
from offramp.report import describe_gains, explain_test
from offramp.store._machine import describe_command, describe_machine, describe_versions, without_folders

from ._batches import to_json
from ._times import known_times

if TYPE_CHECKING:  # they load PyTorch, which those do without that only tell a result again
    from ._chain import Chosen
    from ._clock import Timing
    from ._problem import Problem
    from ._request import Request

ACCEPTED = 0.01  # loss at which scores are compared if no promise was asked


def make_result(
    request: Request, problem: Problem, chosen: Chosen, timings: Mapping[int, Timing], warnings: Sequence[str]
) -> dict[str, Any]:  # Any: JSON
    """The result of a run, free of NaN and infinities."""
    from ._placement import name_cuts  # it loads PyTorch

    versions = describe_versions()
    guarantee = describe_guarantee(chosen.decision.guarantee, chosen.test_loss, chosen.test_interval)
    result = {
        "offramp": versions["offramp"],
        "versions": versions,
        "command": describe_command(),
        "options": request.options(),
        "machine": describe_machine(),
        "seed": request.seed,
        "engine": request.engine,
        "precision": request.precision,
        "precisions": chosen.precision,
        "threads": request.threads,
        "held_out": problem.held_out,
        "samples": {name: len(part) for name, part in problem.parts.items()},
        "model": {"reference": without_folders(request.model), "classes": problem.model.classes,
                  "class_names": problem.class_names, "inputs": problem.model.shapes,
                  "dtypes": _dtypes(chosen),
                  "exits": list(chosen.graph.exits), "cuts": name_cuts(chosen.graph)},
        "score": chosen.score,
        "scores": describe_scores(request, chosen),
        "goal": {**asdict(request.goal), "name": request.goal.name},
        "search": asdict(request.search),
        "exit_macs": chosen.costs.expect("macs").per_exit.tolist(),
        "clock": describe_clock(chosen.clock),
        "baseline": _baseline(problem, chosen, timings),
        "chosen": _chosen(chosen, timings),
        "guarantee": guarantee,
        "frontier": [describe_point(point) for point in chosen.frontier.points],
        "frontier_quality": chosen.frontier.quality,
        "knee": chosen.knee,
        "exits_alone": exits_alone(chosen),
        "placement": chosen.placement and {**chosen.placement, "thresholds": list(chosen.decision.thresholds)},
        "warnings": list(warnings),
    }  # fmt: skip
    result["times"] = known_times(result)
    result["verdict"] = verdict(result)
    cleaned = clean(result)
    assert isinstance(cleaned, dict)
    return cleaned


def describe_clock(clock: Costs | None) -> dict[str, Any] | None:  # Any: JSON
    """Seconds by exit as JSON, from which `offramp sweep` chooses again; None if the point was chosen by work."""
    if clock is None:
        return None
    return {"exit_s": clock.expect("seconds").per_exit.tolist(), "baseline_s": clock.baseline}


def describe_guarantee(
    guarantee: Guarantee | None, test_loss: float | None, test_interval: tuple[float, float] | None = None
) -> dict[str, Any] | None:  # Any: JSON
    """The promise as JSON, with what the test samples say of it; None if nothing was asked."""
    if guarantee is None:
        return None
    return {
        "kind": guarantee.kind,
        "max_loss": guarantee.max_loss,
        "confidence": guarantee.confidence,
        "status": guarantee.status,
        "p_value": guarantee.p_value,
        "calibration_samples": guarantee.calibration_samples,
        "margin": guarantee.margin,
        "test_loss": test_loss,
        "test_interval": None if test_interval is None else list(test_interval),
        **({} if guarantee.remedy is None else {"remedy": guarantee.remedy}),
    }


def describe_scores(request: Request, chosen: Chosen) -> dict[str, Any]:  # Any: JSON
    """All scores of the evidence side by side, the one that saves most first; judged on the tuning samples."""
    from ._chain import candidates

    return tell_scores(
        chosen.frontiers,
        chosen.ranking,
        gates_by=chosen.score,
        auto=request.scoring.auto,
        candidates=candidates(request),
        accepted=request.goal.max_loss,
    )


def tell_scores(
    frontiers: Mapping[str, Frontier],
    ranking: Ranking,
    *,
    gates_by: str,
    auto: bool,
    candidates: Sequence[str],
    accepted: float | None,
) -> dict[str, Any]:  # Any: JSON
    """The same of frontiers that are at hand; `accepted` is the promised loss, if there is one."""
    loss = ACCEPTED if accepted is None else accepted
    drawn = frontiers[gates_by]
    return {
        "auto": auto,
        "area_up_to": ranking.up_to,
        "accepted_loss": loss,
        "full_quality": float(drawn.qualities[0] + drawn.losses[0]),
        "ranked": [
            {
                "score": name,
                "candidate": name in candidates,
                "area": value,
                "relative_macs": macs_at(frontiers[name], loss),
                "frontier": {
                    "relative_macs": [point.relative_macs for point in frontiers[name].points],
                    "quality": frontiers[name].qualities.tolist(),
                },
            }
            for name, value in ranking.areas.items()
        ],
    }


def exits_alone(chosen: Chosen) -> list[dict[str, Any]]:  # Any: JSON
    """What each exit would be as a plain smaller network, with nobody else to ask: on all held-out samples."""
    from offramp.measure.torch import count_macs
    from offramp.transform import backbone

    macs = count_macs(chosen.graph)
    plain = [
        sum(macs[node.name] for node in backbone(chosen.graph, exit_).nodes if node.name in macs)
        for exit_ in chosen.graph.exits
    ]
    return judge_alone(list(chosen.evidence.values()), [cost / chosen.costs.baseline for cost in plain])


def judge_alone(parts: Sequence[Evidence], relative_macs: Sequence[float]) -> list[dict[str, Any]]:  # Any: JSON
    """The same of evidence that is at hand, at what each exit costs without gates and other heads."""
    alone = []
    for at, cost in enumerate(relative_macs):
        agreement = float(np.mean(np.concatenate([part.predictions[:, at] == part.reference for part in parts])))
        right = [_right(part, at) for part in parts]
        accuracy = None if any(one is None for one in right) else float(np.mean(np.concatenate(right)))
        alone.append({"exit": at, "agreement": agreement, "accuracy": accuracy, "relative_macs": cost})
    return alone


def verdict(result: Mapping[str, Any]) -> list[str]:  # Any: JSON
    """What a reader should know before the numbers, one sentence each."""
    chosen, lines = result["chosen"], list(_describe_leaving(result))
    slower = describe_gains(chosen, only="slower") if chosen["thresholds"] else ""
    if slower:
        lines.append(f"{_alone(result)} is faster: this one gains {slower}. Use the network alone there.")
    if chosen["relative_macs"] >= 1 and chosen["thresholds"]:
        lines.append("It does no less work than the network alone.")
    lines += _describe_smaller(result)
    if not lines:
        lines.append(_describe_work(chosen))
    lines += _describe_doubts(chosen, _alone(result))
    lines += explain_test(result)
    lines += _describe_precision(result)
    if result.get("placement"):  # older results have none
        lines.append(describe_placement(result["placement"], expected=_is_first_point(result)))
    count = sum(one["candidate"] for one in result["scores"]["ranked"])
    if count > 1:
        best = (
            "costs least with its best exits" if result.get("placement") else "has the largest area under its frontier"
        )
        lines.append(f"Of {count} scores {result['score']} {best}: gates compare it.")
    if "recalibrated" in result:
        told = result["recalibrated"]
        lines.append(
            f"Its thresholds were chosen again on {told['samples']:,} samples of {told['data']}; "
            "agreement there is with the file's own final exit."
        )
    return lines


def _describe_leaving(result: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    """Why nobody leaves early, if so it is."""
    guarantee, exits = result["guarantee"], result["chosen"]["thresholds"]
    if guarantee is not None and guarantee["status"] == "refused":
        yield f"Nothing could be promised, so nobody leaves early: {guarantee['remedy']}."
        if exits:
            yield "Its heads and gates run for nothing: until a promise holds, use the network alone."
    if not exits:
        yield "No exit paid: the file is the network alone, behind the same outputs."


def _describe_smaller(result: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    """The first exit that beats the whole as a network of its own, in a sentence; nothing if none does."""
    chosen, guarantee = result["chosen"], result["guarantee"]
    if guarantee is not None and guarantee["status"] == "refused":
        return  # nobody leaves, since nothing could be proven of those that would
    rates = chosen.get("exit_rates") or []
    if 1.0 in rates[:-1]:
        yield f"Everybody leaves at exit {rates.index(1.0)}: the network cut there does the same without its gates."
        return
    for alone in result["exits_alone"][:-1]:
        if alone["agreement"] >= chosen["agreement"] and alone["relative_macs"] <= chosen["relative_macs"]:
            yield (
                f"A plain smaller network beats it: the network cut at exit {alone['exit']} agrees on "
                f"{100 * alone['agreement']:.1f} % at {alone['relative_macs']:.2f} of the work."
            )
            return


def _describe_work(chosen: Mapping[str, Any]) -> str:  # Any: JSON
    """Work and, if it was measured, time."""
    work, faster = f"It does {chosen['relative_macs']:.2f} of the work", describe_gains(chosen, only="faster")
    return f"{work} and is faster: {faster}." if faster else f"{work}."


def _alone(result: Mapping[str, Any]) -> str:  # Any: JSON
    """What gains are over: the network in the precision of the file."""
    name = result["precision"].partition("+")[0]  # int8+f32: the network alone is the one in 8 bits
    return "The network alone" + ("" if name == "f32" else f" in {name}")


def _describe_doubts(chosen: Mapping[str, Any], alone: str) -> Iterator[str]:  # Any: JSON
    """Gains of which nothing can be said, in a sentence or two."""
    if not chosen["gain"]:
        yield "Its time was not measured at these thresholds: run `offramp bench --apply`."
    same, unknown = (describe_gains(chosen, only=judgment) for judgment in ("no difference", "unknown"))
    if same:
        yield f"No difference in time from {alone[0].lower()}{alone[1:]} was measured: {same}, with 95 % confidence."
    if unknown:
        yield f"How sure a gain is was not measured ({unknown}): run `offramp bench --apply`."


def _is_first_point(result: Mapping[str, Any]) -> bool:  # Any: JSON
    """Whether the point is still the one for which exits and precision were chosen; older results do not say."""
    placed = result.get("placement") or {}
    if "thresholds" in placed:
        return bool(placed["thresholds"] == result["chosen"]["thresholds"]) and "recalibrated" not in result
    return "applied" not in result and "recalibrated" not in result


def _describe_precision(result: Mapping[str, Any]) -> Iterator[str]:
    """What the precision does, in a sentence or two; nothing if it is f32 and nothing else was tried."""
    told, precision = result.get("precisions"), result["precision"]  # older results have none
    if told and len(told["tried"]) > 1 and _is_first_point(result):
        seconds = [f"{one['precision']} {1000 * one['expected_s']:.3f}" for one in told["tried"]]
        missed = [one["precision"] for one in told["tried"] if one["loss"] > one["allowed_loss"]]
        lost = f" ({' and '.join(missed)}: too many answers change)" if missed else ""
        yield f"Estimated ms per call at the accepted loss: {', '.join(seconds)}{lost}; the file is in {precision}."
    if precision == "f32":
        return
    alone, chosen = result["baseline"].get("in_precision"), result["chosen"]
    if alone is None:
        return
    name = precision.partition("+")[0]
    line = f"In {name} the network alone agrees with itself in f32 on {100 * alone['agreement']:.2f} %"
    compared = describe_gains(chosen, "gain_to_float") if chosen.get("gain_to_float") else ""
    yield f"{line}; against f32 the file gains {compared}." if compared else f"{line}."
    kept = [one["name"] for one in (told or {}).get("bodies", []) if one["kept"] != "int8"]
    if kept:
        yield f"In float, all or in part, since the answers suffer: {', '.join(kept)}."


def describe_placement(placement: Mapping[str, Any], *, expected: bool = True) -> str:  # Any: JSON
    """Why these exits, in a sentence.

    Args:
        placement: As `result.json` holds it.
        expected: Whether the point is the one that was expected when they were chosen; else no figure is told.
    """
    candidates, best, by = placement["candidates"], placement["trials"][0], placement["judged_by"]
    kept = [f"{candidates[at]['head']} at {candidates[at]['cut']}" for at in placement["kept"]]
    everything = next(one for one in placement["trials"] if len(one["kept"]) == len(candidates))
    names = " and ".join(kept) if kept else "none"
    stays = f"Of {len(candidates)} candidates {names} {'stay' if len(kept) > 1 else 'stays'}"
    if not expected:
        return f"{stays}."
    return (
        f"{stays}: {best['relative']:.2f} of the network's {by} is expected, "
        f"with all of them {everything['relative']:.2f}."
    )


def clean(value: Any) -> Any:  # Any: JSON
    """The same data with None for NaN and infinities, plain numbers for NumPy's, and text for keys."""
    if isinstance(value, Mapping):
        return {str(key): clean(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [clean(entry) for entry in value]
    if isinstance(value, np.generic):
        return clean(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _right(part: Evidence, at: int) -> Any:  # Any: an array of truths, or None
    return None if part.labels is None else part.predictions[:, at] == part.labels


def _dtypes(chosen: Chosen) -> dict[str, str]:
    return {node.name: node.outputs[0].dtype for node in chosen.graph.inputs}


def _baseline(problem: Problem, chosen: Chosen, timings: Mapping[int, Timing]) -> dict[str, Any]:  # Any: JSON
    from offramp.transform import backbone  # it loads PyTorch

    test = chosen.evidence["test"]
    own = test.predictions[:, chosen.graph.exits.index(backbone(chosen.graph).answer)]
    return {
        "accuracy": None if test.labels is None else float((test.reference == test.labels).mean()),
        "macs": chosen.costs.baseline,
        "parameters": sum(weight.numel() for weight in problem.model.module.parameters()),
        "latency_s": {str(batch): to_json(timing.baseline) for batch, timing in timings.items()},
        "in_precision": {
            "accuracy": None if test.labels is None else float((own == test.labels).mean()),
            "agreement": float((own == test.reference).mean()),
        },
        "float_latency_s": {
            str(batch): to_json(timing.floating) for batch, timing in timings.items() if timing.floating is not None
        },
        "float_gain_interval": _intervals({batch: timing.float_gain_interval for batch, timing in timings.items()}),
    }


def _intervals(found: Mapping[int, tuple[float, float] | None]) -> dict[str, list[float]]:
    return {str(batch): list(limits) for batch, limits in found.items() if limits is not None}


def _chosen(chosen: Chosen, timings: Mapping[int, Timing]) -> dict[str, Any]:  # Any: JSON
    return {
        **describe_point(chosen.test),
        "latency_s": {str(batch): to_json(timing.ours) for batch, timing in timings.items()},
        "gain": {str(batch): timing.gain for batch, timing in timings.items()},
        "gain_interval": _intervals({batch: timing.gain_interval for batch, timing in timings.items()}),
        "gain_to_float": {str(batch): timing.gain_to_float for batch, timing in timings.items()},
        "gain_to_float_interval": _intervals({at: timing.gain_to_float_interval for at, timing in timings.items()}),
        "efficiency": {str(batch): timing.efficiency for batch, timing in timings.items()},
        "ideal_latency_s": {str(batch): timing.ideal_s for batch, timing in timings.items()},
        "empty_latency_s": {str(batch): timing.empty_s for batch, timing in timings.items()},
    }


def describe_point(point: OperatingPoint) -> dict[str, Any]:  # Any: JSON
    """An operating point as JSON."""
    plain = asdict(point)
    return {**plain, "thresholds": list(plain["thresholds"]), "exit_rates": list(plain["exit_rates"])}
