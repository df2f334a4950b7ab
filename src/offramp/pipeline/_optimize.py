"""The whole chain of `offramp optimize`: from problem to a folder that is there whole or not at all."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from offramp import report
from offramp.errors import ExportError, OutputError
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure import Evidence, exits_taken
from offramp.report._drawing import draw_shipped
from offramp.run import Samples, openvino, stream
from offramp.store._folder import WorkFolder, check_killed, check_out, open_folder, reserve
from offramp.store._machine import without_folders
from offramp.store.record import RunRecord, to_json
from offramp.store.torch import Origin, save_artifact

from ._chain import (
    BATCH,
    Chosen,
    add_exits,
    check_goal,
    choose,
    collect,
    collect_shipped,
    costs_by_score,
    train,
    warn_of_guessing,
)
from ._clock import time_network
from ._engine import Engine
from ._estimate import announce
from ._exports import Exports, fusible
from ._placement import cheapest
from ._precision import Variant, VariantResult, check_precision, choose_precision, describe, describe_passes
from ._probe import probe
from ._problem import Objects, Problem, check_counts, gather
from ._request import Request
from ._result import make_result, record_guarantee
from ._screen import Screen

NEAR = 1e-4  # a score this close to its threshold may fall on either side in another batch size


def optimize(request: Request, screen: Screen, objects: Objects | None = None) -> RunRecord:
    """Load what the request names, run the chain, and give the result that was written.

    Args:
        request: What is asked for.
        screen: Where progress and warnings go.
        objects: What was given itself; None if everything is named.

    Raises:
        OfframpError: Something does not fit; then nothing is written.
    """
    with reserve(request.out):
        check_out(request.out)
        there = check_killed(request.out, request.deciding(), resume=request.resume, fresh=request.fresh)
        if request.resume and not there:
            screen.say(f"nothing to resume beside {request.out}: starting anew.")
        if (request.out / "result.json").is_file():
            screen.say(f"{request.out} holds a finished result, which this run replaces when it is done.")
        return run_chain(request, gather(request, screen, objects), screen)


def run_chain(request: Request, problem: Problem, screen: Screen, *, again: str = "with resume=True") -> RunRecord:
    """The chain on problem that is at hand.

    Args:
        request: Of the run; its folder is reserved.
        problem: Of the run.
        screen: Where progress and warnings go.
        again: How to repeat the command if it is stopped after some training, to go on from there.

    Raises:
        OfframpError: As for `optimize`.
    """
    with screen.step(f"exits: {request.exits.count}, {request.exits.placement}"):
        graph = add_exits(request, problem)
        costs = costs_by_score(graph)
    check_precision(request.engine.precision, graph)
    check_goal(request, cheapest(request, graph) if request.exits.is_auto else costs)
    check_counts(request, problem)
    start = time.perf_counter()
    traces = probe(request, graph, problem, screen)
    body_s = (time.perf_counter() - start) / max(1, len(traces))  # it hardly does anything else
    if request.training.regime != "joint":  # which is for networks that know nothing yet
        warn_of_guessing(problem, screen)
    announce(request, graph, problem, screen, body_s=body_s)
    work = open_folder(request.out, request.deciding(), resume=request.resume, fresh=request.fresh)
    try:
        with screen.step(
            f"{request.training.regime}: {request.training.epochs} epochs on {len(problem.train)} samples"
        ):
            graph = train(request, graph, problem.train, work, screen)
        results = choose_precision(request, graph, problem, _exports(request, work, traces), screen)
        precision = request.engine.precision
        request = replace(request, engine=replace(request.engine, precision=results[0].precision))
        chosen = replace(decide_on(request, problem, results[0], screen), precision=describe(precision, results))
        result = _write(request, problem, chosen, results[0].variant, work, screen)
        work.finish()
    except BaseException as error:  # an interrupt too leaves nothing but what was trained
        if work.abandon():
            error.add_note(f"What was trained is kept in {work.path}: repeat the command {again} to use it.")
        raise
    return result


def _exports(request: Request, work: WorkFolder, traces: onnx.Traces) -> Exports:
    return Exports(work.path, traces=traces, stage_pass=fusible if request.engine.name == "onnxruntime" else None)


def decide_on(request: Request, problem: Problem, best: VariantResult, screen: Screen) -> Chosen:
    """The operating point, chosen and proven on evidence from the engine and precision that ship."""
    variant, placed, graph = best.variant, best.placed, best.variant.graph
    with screen.step(f"evidence: {request.engine.name} {request.engine.precision}"):
        if placed:
            found = collect(placed.graph, problem, variant.engine, variant.exports, known=placed.seen)
        else:
            found = collect(graph, problem, variant.engine, variant.exports)
    with screen.step("decision"):
        if placed:
            chosen = choose(request, placed.graph, placed.costs, found, score=placed.score, clock=placed.clock)
        else:
            chosen = choose(request, graph, costs_by_score(graph), found)
        if variant.engine.precision in openvino.ROUNDED and chosen.graph.gates:
            found = collect_shipped(chosen, problem, variant.engine, variant.exports)
            costs = {chosen.score: chosen.costs}
            chosen = choose(request, chosen.graph, costs, found, score=chosen.score, clock=chosen.clock)
    return chosen if placed is None else replace(chosen, placement=placed.found)


def _write(
    request: Request, problem: Problem, chosen: Chosen, variant: Variant, work: WorkFolder, screen: Screen
) -> RunRecord:
    """Everything that goes into the folder."""
    with screen.step("model.onnx"):
        model = variant.exports.save(chosen.graph, work.whole / "model.onnx", _card(request, problem, chosen, variant))
        _check_shipped(variant.engine, model, problem.test, chosen)
    with screen.step("time"):
        timings = time_network(
            chosen.graph,
            model,
            test=problem.test,
            evidence=chosen.evidence["test"],
            thresholds=chosen.decision.thresholds,
            score=chosen.score,
            engine=variant.engine,
            exports=variant.exports,
            seed=request.seed,
        )
    result = make_result(request, problem, chosen, timings, screen.warnings)
    with screen.step("report"):
        _write_folder(work.whole, request, problem, chosen, result)
    return result


def _card(request: Request, problem: Problem, chosen: Chosen, variant: Variant) -> dict[str, Any]:  # Any: JSON
    promise = record_guarantee(chosen.decision.guarantee, chosen.test_loss, chosen.test_interval)
    return {
        "thresholds": list(chosen.decision.thresholds),
        "engine": request.engine.name,
        "precision": variant.engine.precision,
        "passes": describe_passes(variant.quantized),
        "threads": request.engine.threads,
        "model": without_folders(request.model),
        "class_names": problem.class_names,
        "vocabulary": problem.model.vocabulary,
        "guarantee": None if promise is None else promise.model_dump(mode="json"),
    }


def _check_shipped(engine: Engine, model: Path, test: Samples, chosen: Chosen) -> None:
    """The file must send every test sample where the evidence says, but for those on a threshold.

    Raises:
        ExportError: It does not.
    """
    runtime, seen, score = engine.load(model), chosen.evidence["test"], chosen.score
    taken = np.concatenate([part.answer.exit for part in stream(runtime, test, batch=BATCH)])
    wanted = exits_taken(seen, chosen.decision.thresholds, score)
    limits = np.asarray(chosen.decision.thresholds, np.float32)
    near = (np.abs(seen.scores[score] - limits) < NEAR).any(axis=1)
    wrong = int(((taken != wanted) & ~near).sum())
    if wrong:
        raise ExportError(
            f"the file must answer as the evidence says, but sends {wrong} of {len(test)} samples elsewhere. "
            "Try another engine, and report this network."
        )


def _write_folder(folder: Path, request: Request, problem: Problem, chosen: Chosen, result: RunRecord) -> None:
    """All files but the model itself."""
    save_artifact(
        chosen.graph,
        folder,
        example=_example(chosen.graph, problem.test),
        origin=_origin(problem),
        thresholds=chosen.decision.thresholds,
    )
    join(chosen.evidence).save(folder / "evidence.npz")
    try:
        (folder / "result.json").write_text(to_json(result), encoding="utf-8")
        (folder / "README.md").write_text(report.model_card(result), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{request.out} must be writable, but: {error.strerror}. Choose another folder.") from error
    report.html(
        result, folder / "report.html", drawing=draw_shipped(chosen.graph),
        evidence=chosen.evidence["test"], samples=problem.test,
    )  # fmt: skip


def _origin(problem: Problem) -> Origin | None:
    """How the network can be built again; None if it was given as an object and nobody can say."""
    model = problem.model
    if model.reference is None:
        return None
    return Origin(
        reference=model.reference,
        arguments=model.arguments,
        shape=next(iter(model.shapes.values())),
        mean=problem.mean,
        std=problem.std,
    )


def _example(graph: Graph, test: Samples) -> dict[str, torch.Tensor]:
    """Two real samples under the names of the graph's inputs."""
    taken = test.take([0, 1])
    names = [node.name for node in graph.inputs]
    arrays = [taken[name] for name in names] if all(name in taken for name in names) else list(taken.values())
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in zip(names, arrays, strict=True)}


def join(parts: dict[str, Evidence]) -> Evidence:
    """One evidence of all parts, in the order tune, calibrate, test; `result.json` says where each ends."""
    some = list(parts.values())
    first = some[0]
    labels = [part.labels for part in some if part.labels is not None]
    contents = [part.contents for part in some if part.contents is not None]
    return Evidence(
        ids=np.concatenate([part.ids for part in some]),
        predictions=np.concatenate([part.predictions for part in some]),
        scores={name: np.concatenate([part.scores[name] for part in some]) for name in first.scores},
        gates=first.gates,
        reference=np.concatenate([part.reference for part in some]),
        labels=np.concatenate(labels) if len(labels) == len(some) else None,
        contents=np.concatenate(contents) if len(contents) == len(some) else None,
    )
