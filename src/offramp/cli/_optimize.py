"""The whole chain: attach, learn, export, measure, decide, prove, time, write."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import offramp
from offramp import build, decide, learn, measure, report
from offramp.errors import CurveError, OptionError, OutputError
from offramp.export import artifact
from offramp.export import onnx as export_onnx
from offramp.graph import Gate, Graph, draw_svg
from offramp.measure import Costs, Evidence, Frontier
from offramp.measure import torch as measure_torch

from ._inputs import SIZED, Sets, find_normalize, load_inputs
from ._machine import describe_machine, find_versions
from ._options import Options
from ._shown import choose_shown, rates_by_class
from ._timing import load_dense, time_all

Json = dict[str, Any]  # Any: JSON
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is known of a trained graph before anything is chosen."""

    graph: Graph
    costs: Costs
    tune: Evidence
    calibrate: Evidence
    test: Evidence


def optimize(options: Options, *, resume: bool = False, say: Say = lambda text: None, progress: bool = False) -> Json:
    """Run the chain of `offramp optimize` and give what went into result.json; nothing stays behind if it fails.

    Raises:
        OfframpError: Whatever is wrong with the options, the model, the samples or the place to write.
    """
    say("loading")
    loaded, sets = load_inputs(options)
    return run_chain(options, loaded, sets, held_out=options.held_out is not None, resume=resume, say=say, progress=progress)


def run_chain(
    options: Options, loaded: build.LoadedModel, sets: Sets, *, held_out: bool, resume: bool, say: Say, progress: bool
) -> Json:  # noqa: PLR0913  # the demo brings its own network and samples
    """The chain for a loaded network and its samples."""
    graph, plain = _attach(options, loaded)
    work = _open_work(options, resume)
    with _kept_for_resume(work):
        say(f"training {len(graph.exits) - 1} exits on {len(sets.train)} samples")
        settings = learn.PostSettings(epochs=options.epochs, seed=options.seed, batch=min(128, max(2, len(sets.train) // 4)))
        graph = learn.post(graph, sets.train, settings, checkpoint=work / "heads.ckpt", resume=resume, progress=progress)
        say("collecting evidence")
        measured = _measure(graph, sets, work, options)
        frontier = _draw(measured, options)
        decision = _decide(frontier, measured, options)
        say("timing")
        page = work / "out"
        shutil.rmtree(page, ignore_errors=True)
        page.mkdir()
        card = _card(decision, options)
        model = export_onnx.save(graph, work / "model.onnx", card=card)
        test = measure.operate(measured.test, measured.costs, decision.thresholds, score=options.score)
        times = time_all(graph, plain, model, sets.test, test.exit_rates, options)
        result = _result(options, measured, frontier, decision, times=times, sets=sets, held_out=held_out)
        say("writing")
        shutil.copy(model, page / "model.onnx")
        _write(page, result, measured, decision, sets=sets, loaded=loaded, options=options)
        _publish(page, options.out)
    shutil.rmtree(work)
    return result


def _attach(options: Options, loaded: build.LoadedModel) -> tuple[Graph, Graph]:
    """The graph with exits, and the network alone."""
    normalize = find_normalize(loaded, options)
    placement: Any = options.placement  # Any: a rule, or cut points by name or index
    if "," in options.placement:
        placement = [int(part) if part.isdigit() else part for part in options.placement.split(",")]
    graph = build.attach_exits(
        loaded.module, loaded.example, exits=options.exits, placement=placement, head=options.head,
        scores=(options.score,), normalize=normalize,
    )  # fmt: skip
    return graph, build.attach_exits(loaded.module, loaded.example, exits=0, normalize=normalize)


# The folder that a killed run leaves, and that --resume goes on from --------------------------------------------------


def _open_work(options: Options, resume: bool) -> Path:
    work = options.out.parent / f".{options.out.name}.partial"
    asked = json.dumps(options.to_json(), sort_keys=True)
    noted = work / "options.json"
    if resume and not noted.is_file():
        raise OptionError(f"--resume needs a killed run to go on from, but {work} is not there: start without --resume.")
    if resume and noted.read_text() != asked:
        raise OptionError(f"--resume needs the same options as the killed run, but {noted} has others: repeat them all.")
    try:
        if options.out.exists() and not (options.out / "result.json").is_file() and any(options.out.iterdir()):
            raise OutputError(f"--out must be new, empty or an earlier result, but {options.out} holds other files: choose another.")
        if not resume:
            shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)
        noted.write_text(asked)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"expected a place to write, but {options.out} is none ({error.strerror}): choose another --out.") from error
    return work


@contextlib.contextmanager
def _kept_for_resume(work: Path) -> Iterator[None]:
    """A killed or interrupted run leaves its folder, one that fails removes it."""
    try:
        yield
    except Exception:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _publish(page: Path, out: Path) -> None:
    """Rename the finished folder into place; an earlier result is replaced as a whole."""
    old = out.with_name(f".{out.name}.old.{os.getpid()}")
    if out.exists():
        out.rename(old)
    page.rename(out)
    shutil.rmtree(old, ignore_errors=True)


# Numbers and choices ---------------------------------------------------------------------------------------------------


def _measure(graph: Graph, sets: Sets, work: Path, options: Options) -> Measured:
    runtime = load_dense(export_onnx.save(graph, work / "dense.onnx", dense=True), options)
    gates = {options.score: _gate(graph)}
    tune, calibrate, test = (
        measure.evidence(runtime, part, gates=gates) for part in (sets.tune, sets.calibrate, sets.test)
    )
    return Measured(graph=graph, costs=measure_torch.path_costs(graph), tune=tune, calibrate=calibrate, test=test)


def _gate(graph: Graph) -> Gate:
    gate = graph.gates[0].gate
    assert gate is not None, "gates are the control nodes that have one"
    return gate


def _draw(measured: Measured, options: Options) -> Frontier:
    quality = decide.quality_for(options.kind) if options.budget is None and not options.knee else "agreement"
    return measure.frontier(measured.tune, measured.costs, score=options.score, quality=quality)


def _decide(frontier: Frontier, measured: Measured, options: Options) -> decide.Decision:
    if options.budget is not None:
        return decide.budget(frontier, options.budget)
    if options.knee:
        return decide.knee(frontier)
    return decide.thresholds(
        frontier, measured.calibrate, max_loss=options.loss, confidence=options.confidence, kind=options.kind
    )


def _card(decision: decide.Decision, options: Options) -> Json:
    return {
        "thresholds": [float(value) for value in decision.thresholds],
        "engine": options.engine,
        "precision": "f32",
        "guarantee": _guarantee(decision, None),
    }


def _guarantee(decision: decide.Decision, test_loss: float | None) -> Json | None:
    promise = decision.guarantee
    if promise is None:
        return None
    return {
        "kind": promise.kind,
        "max_loss": promise.max_loss,
        "confidence": promise.confidence,
        "status": promise.status,
        "remedy": promise.remedy,
        "p_value": float(promise.p_value),
        "calibration_samples": promise.calibration_samples,
        "test_loss": test_loss,
    }


def _result(
    options: Options, measured: Measured, frontier: Frontier, decision: decide.Decision, *,
    times: Json, sets: Sets, held_out: bool,
) -> Json:  # fmt: skip  # noqa: PLR0913  # everything that a result tells of
    test = measure.operate(measured.test, measured.costs, decision.thresholds, score=options.score)
    full = measure.operate(measured.test, measured.costs, frontier.full.thresholds, score=options.score)
    chosen = {
        **_point(test),
        "score": options.score,
        "latency_s": times["ours"],
        "gain": times["gain"],
        "efficiency": times["efficiency"],
    }
    test_loss = _test_loss(measured, decision, options) if decision.guarantee else None
    result = {
        "offramp": offramp.__version__,
        "command": " ".join(sys.argv),
        "options": options.to_json(),
        "versions": find_versions(),
        "machine": describe_machine(),
        "seed": options.seed,
        "engine": options.engine,
        "precision": "f32",
        "threads": options.threads,
        "held_out": held_out,
        "name": options.model.split(":")[-1],
        "samples": sets.sizes(),
        "inputs": export_onnx.describe(measured.graph)["inputs"],
        "baseline": {
            "accuracy": full.accuracy,
            "macs": float(measured.costs.baseline_macs),
            "parameters": measure_torch.parameters(measured.graph),
            "size_bytes": measure_torch.size_bytes(measured.graph),
            "latency_s": times["baseline"],
        },
        "chosen": chosen,
        "guarantee": _guarantee(decision, test_loss),
        "frontier": [_point(point) for point in frontier.points],
        "knee": _knee(frontier),
        "classes": rates_by_class(measured.test, measure.exits_taken(measured.test, decision.thresholds, options.score)),
    }
    result["verdict"] = _verdict(result)
    return result


def _point(point: measure.OperatingPoint) -> Json:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(point).items()}


def _test_loss(measured: Measured, decision: decide.Decision, options: Options) -> float:
    taken = measure.exits_taken(measured.test, decision.thresholds, options.score)
    return float(np.mean(decide.find_losses(measured.test, taken, options.kind)))


def _knee(frontier: Frontier) -> int | None:
    try:
        point = decide.knee(frontier).point
    except CurveError:
        return None
    return next((at for at, other in enumerate(frontier.points) if other == point), None)


def _verdict(result: Json) -> str:
    """One sentence: is it worth it?"""
    gain, relative = result["chosen"]["gain"], result["chosen"]["relative_macs"]
    if relative >= 0.999:
        return "Nobody leaves early: the file answers exactly like the full network and saves nothing."
    if gain["1"] <= 1 and gain["64"] <= 1:
        return f"Not worth it here: {1 - relative:.0%} fewer MACs, but no gain on the clock ({gain['1']:.2f}x at batch 1)."
    return f"{1 - relative:.0%} fewer MACs; {gain['1']:.2f}x as fast at batch 1, {gain['64']:.2f}x at batch 64."


# Files -----------------------------------------------------------------------------------------------------------------


def _write(
    page: Path, result: Json, measured: Measured, decision: decide.Decision, *,
    sets: Sets, loaded: build.LoadedModel, options: Options,
) -> None:  # fmt: skip  # noqa: PLR0913  # everything that a folder holds
    thresholds = [float(value) for value in decision.thresholds]
    artifact.save(measured.graph, page, rebuild=_rebuild(measured.graph, loaded, options), thresholds=thresholds)
    _merge([measured.tune, measured.calibrate, measured.test]).save(page / "evidence.npz")
    (page / "result.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    (page / "README.md").write_text(report.card(result))
    taken = measure.exits_taken(measured.test, decision.thresholds, options.score)
    shown = choose_shown(sets.test, measured.test, taken, options.score)
    report.html(result, page / "report.html", graph_svg=draw_svg(measured.graph), samples=shown)


def _merge(parts: Sequence[Evidence]) -> Evidence:
    """The evidence of several sets as one; result.json says how many samples each had, in this order."""
    labels = [part.labels for part in parts]
    return Evidence(
        ids=np.concatenate([part.ids for part in parts]),
        predictions=np.concatenate([part.predictions for part in parts]),
        scores={name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores},
        gates=parts[0].gates,
        reference=np.concatenate([part.reference for part in parts]),
        labels=None if any(label is None for label in labels) else np.concatenate([np.asarray(label) for label in labels]),
    )


def _rebuild(graph: Graph, loaded: build.LoadedModel, options: Options) -> Json:
    """What artifact.load needs to build the graph again."""
    stage = next(node for node in graph.nodes if node.role == "stage")
    head = next(node for node in graph.nodes if node.role == "head")
    normalize = graph.bodies.get("normalize")
    known = isinstance(normalize, build.Normalize)
    return {
        "model": loaded.reference,
        "arguments": dict(loaded.arguments),
        "shape": None if loaded.reference.startswith(SIZED) else list(next(iter(loaded.shapes.values()))),
        "mean": normalize.mean.flatten().tolist() if known else None,  # type: ignore[union-attr]  # known
        "std": normalize.std.flatten().tolist() if known else None,  # type: ignore[union-attr]  # known
        "cuts": list((stage.recipe or {})["cuts"]),
        "head": dict(head.recipe or {}),
        "scores": [options.score],
    }
