"""What the benchmark runtime compares: the network alone in what users pick today, and ours in each precision.

Shape letters: B batch, S samples, K classes.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from _frozen import as_module
from _runtime_subjects import Subject
from numpy.typing import NDArray

from offramp.decide import Target
from offramp.pipeline import Engine, Exits
from offramp.pipeline.parts import (
    INT8_FALLBACK,
    Chosen,
    Exports,
    Request,
    Screen,
    VariantResult,
    back_up,
    choose_precision,
    decide_on,
    evaluate,
)
from offramp.run import Samples
from offramp.run import torch as run_torch
from offramp.transform import backbone
from offramp.zoo import LoadedModel

Call = Callable[[Any], Any]  # Any: inputs by name; what it answers, in the form of its engine
GOALS = {
    "99 % promised at 95 %": Target(max_loss=0.01, confidence=0.95, kind="agreement"),
    "99 % to expect": Target(max_loss=0.01, confidence=0.5, kind="agreement"),
}
SLOW_TO_COMPILE = (1, 64)  # batch sizes that torch.compile is asked for: it takes minutes for each


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One row of the table.

    Attributes:
        name: Of the row.
        kind: "alone", "ours" or "earlyon".
        engine: What runs it.
        precision: What it computes in.
        threads: It may use.
        call: Takes inputs by name.
        sizes: Batch sizes that it is timed at; None for all.
        memory_mib: By how much the process grew when it was loaded and answered two batches of 64; None if unknown.
        more: What else is known, for the row.
    """

    name: str
    kind: str
    engine: str
    precision: str
    threads: int
    call: Call
    sizes: tuple[int, ...] | None = None
    memory_mib: float | None = None
    more: Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Ours in one precision at one goal.

    Attributes:
        goal: Its name.
        result: The precision, with the exits that suit it.
        chosen: Thresholds and evidence.
        model: The file.
    """

    goal: str
    result: VariantResult
    chosen: Chosen
    model: Path

    @property
    def precision(self) -> str:
        """Its name."""
        return self.result.precision


def find_points(
    subject: Subject, precisions: Sequence[str], goals: Sequence[str], work: Path, seed: int
) -> list[Point]:
    """What `offramp optimize` would choose in each precision; exits are chosen too, unless some were dropped before."""
    screen, exports = Screen(), Exports(work)
    numbers = [exit.cut for exit in subject.graph.exits if exit.cut is not None]
    given: dict[str, Any] = {} if numbers == [*range(len(numbers))] else {"count": len(numbers)}
    points: list[Point] = []
    reference = subject.problem.model.reference
    assert reference is not None, "networks of benchmarks have one"
    for precision in precisions:
        request = Request(
            model=reference, train="-", out=work / "out", target=GOALS[goals[0]],
            engine=Engine(precision=precision), exits=Exits(**given), seed=seed,
        )  # fmt: skip
        if precision == INT8_FALLBACK:
            variant = back_up(next(point.result.variant for point in points if point.precision == "int8"))
            result = evaluate(request, subject.problem, variant, None)
        else:
            (result,) = choose_precision(request, subject.graph, subject.problem, exports, screen)
        for goal in goals:
            asked = replace(request, target=GOALS[goal])
            chosen = decide_on(asked, subject.problem, result, screen)
            thresholds = [float(value) for value in chosen.decision.thresholds]
            file = work / f"{precision}-{len(points)}.onnx"
            model = result.variant.exports.save(
                chosen.graph, file, {"thresholds": thresholds, "precision": result.variant.engine.precision}
            )
            points.append(Point(goal=goal, result=result, chosen=chosen, model=model))
            print(subject.name, precision, goal, chosen.test, chosen.decision.guarantee, flush=True)
    return points


def list_systems(
    subject: Subject, points: Sequence[Point], threads: int, *, compiled: bool
) -> Iterator[Callable[[], System]]:
    """Rows of one network that may use so many threads, each to be loaded by a call; the first point is in f32."""
    first = subject.problem.test.take(slice(0, 64))
    module = as_module(subject.problem.model)
    variants = {one.precision: one.result.variant for one in points if one.precision != INT8_FALLBACK}
    files = {
        name: variant.exports.save_dense(backbone(subject.graph), f"alone-{name}") for name, variant in variants.items()
    }

    def alone(engine: str, precision: str, load: Callable[[], Call], **known: Any) -> Callable[[], System]:  # Any: JSON
        name = f"{engine} {precision}"
        return partial(_load, name, load, first, kind="alone", engine=engine, precision=precision, threads=threads,
                       **known)  # fmt: skip

    yield alone("PyTorch eager", "f32", lambda: eager(module, threads))
    if compiled:
        yield alone("torch.compile", "f32", lambda: eager(_compile(module), threads), sizes=SLOW_TO_COMPILE)
    onnxruntime = Engine(name="onnxruntime", threads=threads)
    yield alone("ONNX Runtime", "f32", lambda: onnxruntime.load_static(files["f32"]))
    for precision, variant in variants.items():
        engine = replace(variant.engine, threads=threads)
        yield alone("OpenVINO", precision, partial(engine.load_static, files[precision]))
    for point in points:
        engine = replace(point.result.variant.engine, threads=threads)
        yield partial(_load, f"ours, OpenVINO {point.precision}, {point.goal}", partial(engine.load, point.model),
                      first, kind="ours", engine="OpenVINO", precision=point.precision, threads=threads,
                      more=_about(point))  # fmt: skip
    point = points[0]
    limits = np.asarray(point.chosen.decision.thresholds, np.float32)
    yield partial(_load, f"ours, ONNX Runtime f32, {point.goal}", partial(onnxruntime.load, point.model), first,
                  kind="ours", engine="ONNX Runtime", precision="f32", threads=threads, more=_about(point))  # fmt: skip
    for name, compile in (("PyTorch", False), ("torch.compile", True))[: 2 if compiled else 1]:
        yield partial(
            _load, f"ours, {name} f32, {point.goal}",
            partial(_ours_in_torch, point, threads, compile, limits), first, kind="ours", engine=name, precision="f32",
            threads=threads, more=_about(point), sizes=SLOW_TO_COMPILE if compile else None,
        )  # fmt: skip


def _about(point: Point) -> dict[str, Any]:  # Any: JSON
    chosen, guarantee = point.chosen, point.chosen.decision.guarantee
    return {
        "goal": point.goal, "relative_macs": chosen.test.relative_macs,
        "exits": [exit.name for exit in chosen.graph.exits[:-1]], "exit_rates": list(chosen.test.exit_rates),
        "thresholds": [float(value) for value in chosen.decision.thresholds],
        "guarantee": None if guarantee is None else guarantee.status,
    }  # fmt: skip


def _load(name: str, load: Callable[[], Call], first: Mapping[str, NDArray[Any]], **known: Any) -> System:
    gc.collect()
    before = psutil.Process().memory_info().rss
    call = load()
    for _ in range(2):
        call(first)
    gc.collect()
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    return System(name=name, call=call, memory_mib=grown, **{"more": {}, **known})


# ---- PyTorch ----


def eager(module: torch.nn.Module, threads: int) -> Call:
    """The network as PyTorch runs it; inputs by name become its positional or keyword arguments."""

    @torch.inference_mode()
    def call(inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in inputs.items()}
        given = module(**tensors) if len(tensors) > 1 else module(*tensors.values())
        logits = given if isinstance(given, torch.Tensor) else given["logits"]
        found: NDArray[Any] = logits.numpy()
        return found

    return call


def _compile(module: torch.nn.Module) -> Any:  # Any: what torch.compile gives
    return torch.compile(copy.deepcopy(module), dynamic=False)


def _ours_in_torch(point: Point, threads: int, compile: bool, limits: NDArray[np.float32]) -> Call:
    runtime = run_torch.load(point.chosen.graph, threads=threads, compile=compile)
    return lambda inputs: runtime(inputs, limits)


# ---- earlyon ----


def load_earlyon(loaded: LoadedModel, heads: Path, tune: Samples, max_loss: float = 0.01) -> Iterator[System]:
    """The package's own network in eager PyTorch, one thread, with the thresholds of its own search.

    The search promises nothing for other samples; here it sees all tuning samples.

    Args:
        loaded: The network.
        heads: File that the benchmark pteenet wrote (--parts earlyon).
        tune: Samples to choose on.
        max_loss: Share of answers that may change on them.
    """
    import _earlyon  # the package is there only where somebody wants this comparison

    model = _earlyon.train(loaded, tune, file=heads)
    picked = _earlyon.pick(loaded, model, _earlyon.FACTORY)
    answers = _earlyon.evidence(picked, tune).reference
    thresholds = _earlyon.calibrate(picked, tune, answers, max_loss=max_loss)
    _earlyon.point_to(picked, thresholds)
    for size, method in ((1, picked), (64, picked.forward_inference_batched)):
        call = partial(_call_earlyon, method)
        sizes = (1,) if size == 1 else (8, 64, 256)
        about = {"goal": "its own search, 99 %", "thresholds": [float(value) for value in thresholds]}
        name = f"earlyon, its own pass, batch {'1' if size == 1 else 'above 1'}"
        yield System(name=name, kind="earlyon", engine="PyTorch eager", precision="f32", threads=1, call=call,
                     sizes=sizes, more=about)  # fmt: skip


def _call_earlyon(method: Callable[[Any], Any], inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    (pictures,) = inputs.values()
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    with torch.inference_mode():
        given = method(torch.from_numpy(pictures))
    found: torch.Tensor = given.predictions if hasattr(given, "predictions") else given.prediction
    return found.numpy().reshape(len(pictures), -1)


# ---- what systems answer ----


def classes_of(result: Any) -> NDArray[np.int64]:  # Any: as engines answer
    """[B] of what a system gave: an answer, what all exits say, or logits."""
    logits = np.asarray(getattr(result, "logits", result))
    logits = logits[:, -1] if logits.ndim == 3 else logits
    classes: NDArray[np.int64] = logits.argmax(axis=1)
    return classes


def judge(system: System, samples: Samples, reference: NDArray[np.int64], batch: int) -> dict[str, float]:
    """Accuracy, and agreement with the network in float32, over samples in batches."""
    starts = range(0, len(samples), batch)
    answers = np.concatenate(
        [classes_of(system.call(samples.take(slice(at, min(at + batch, len(samples)))))) for at in starts]
    )
    assert samples.labels is not None, "all data here have labels"
    return {"accuracy": float(np.mean(answers == samples.labels)), "agreement": float(np.mean(answers == reference))}
