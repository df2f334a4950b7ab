"""What conditions cost as exits, batches and depth grow, and who really skips.

All times are of networks with random weights, which take as long as trained ones; thresholds are set so that nobody
leaves, everybody leaves first, or half of the samples does.

Shape letters: B batch, S samples, N early exits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _frozen import as_module, fresh
from _runtime_subjects import Subject
from _runtime_systems import Call, Point, eager
from numpy.typing import NDArray

from offramp import attach, capture, measure, zoo
from offramp.graph import Graph
from offramp.measure import Evidence
from offramp.measure.torch import path_costs
from offramp.pipeline import Engine
from offramp.pipeline.parts import INT8_FALLBACK, Exports, Timing, draw_batches, gates_by_score, time_network, warm
from offramp.run import ArraySamples, Samples, openvino, stream
from offramp.run import torch as run_torch
from offramp.transform import backbone

SIZES = (1, 64)
EXITS = (1, 2, 4, 8, 16)
DEPTHS = (20, 32, 44, 56, 110)
PRECISIONS = ("f32", "bf16")  # as far as the CPU has them
SCORE = "max_probability"
Row = dict[str, Any]  # Any: JSON


def random_pictures(count: int, seed: int) -> Samples:
    """Noise in the shape of CIFAR-10."""
    pictures = np.random.default_rng(seed).random((count, 3, 32, 32), np.float32)
    return ArraySamples(inputs={"x": pictures}, ids=np.arange(count).astype(str))


def time_all(systems: Mapping[str, Call], samples: Samples, size: int, seconds: float, ours: Sequence[str] = ()) -> Any:
    """Milliseconds per call by name, side by side."""
    batches, repeats = draw_batches(systems, samples, size, seed=0, seconds=seconds)
    for name in ours:
        warm(systems[name], batches)
    times = measure.latency(systems, batches, repeats=repeats)
    return {name: 1e3 * one.mean_s for name, one in times.items()}


# ---- exits and depth ----


def grow_exits(work: Path, seed: int, seconds: float) -> Iterator[Row]:
    """ResNet-56 with more and more exits of the least cost, of which nobody makes use: what is left is what they cost.

    The static file runs the same heads without conditions.
    """
    loaded, samples = zoo.load_model("zoo:resnet56"), random_pictures(512, seed)
    names = [cut.name for cut in attach.choose_cuts(capture.capture(loaded.module, loaded.example), "linear", count=16)]
    for count in EXITS:
        places = [names[at] for at in np.linspace(-1, len(names), count + 2).round().astype(int)[1:-1]]
        graph = fresh(partial(attach.exits, loaded.module, loaded.example, placement=places, head="pool"), seed)
        yield from time_near_ideal(graph, samples, nobody_leaves, work, seconds, {"study": "exits", "exits": count})


def grow_depth(work: Path, seed: int, seconds: float) -> Iterator[Row]:
    """ResNets of growing depth with a student at the input and a light head at two thirds; half leaves at the first."""
    samples = random_pictures(512, seed)
    for depth in DEPTHS:
        loaded = zoo.load_model(f"zoo:resnet{depth}")
        places, heads = ["input", "layer3.0"], ["student:width=16", "light"]
        graph = fresh(partial(attach.exits, loaded.module, loaded.example, placement=places, head=heads), seed)
        yield from time_near_ideal(graph, samples, half_leaves, work, seconds, {"study": "depth", "depth": depth})


def time_near_ideal(  # all of one row
    graph: Graph, samples: Samples, choose: Callable[[Evidence], NDArray[np.float32]], work: Path, seconds: float,
    known: Row,
) -> Iterator[Row]:  # fmt: skip
    """A row per precision and batch size, with the thresholds that are chosen by what all exits say of the noise."""
    exports = Exports(work)
    dense = exports.save_dense(graph, "grown-dense")
    for precision in [name for name in PRECISIONS if name in openvino.list_precisions()]:
        engine = Engine(name="openvino", precision=precision)
        seen = measure.evidence(engine.load_dense(dense), samples, gates=gates_by_score(graph))
        limits = choose(seen).tolist()
        times = time_network(
            graph, exports.save(graph, work / "grown.onnx", {"thresholds": limits}), test=samples, evidence=seen,
            thresholds=limits, score=SCORE, engine=engine, exports=exports, seed=0, sizes=SIZES, seconds=seconds,
        )  # fmt: skip
        for size, one in times.items():
            yield {**known, "precision": precision, "batch": size, **near_ideal(one)}


def near_ideal(timing: Timing) -> Row:
    """How near a network is to the sum of its parts."""
    return {
        "efficiency": timing.efficiency, "ideal_ms": 1e3 * timing.ideal_s, "ours_ms": 1e3 * timing.ours.mean_s,
        "alone_ms": 1e3 * timing.baseline.mean_s, "gain": timing.gain, "empty_ms": 1e3 * timing.empty_s,
    }  # fmt: skip


def _with(runtime: Call, limits: NDArray[np.float32]) -> Call:
    return lambda inputs: runtime(inputs, limits)  # type: ignore[call-arg]  # a conditional runtime takes thresholds


def nobody_leaves(seen: Evidence, score: str = SCORE) -> NDArray[np.float32]:
    """[N] thresholds that let nobody leave early."""
    return np.full(seen.exits - 1, seen.gates[score].stop_none, np.float32)


def half_leaves(seen: Evidence, score: str = SCORE) -> NDArray[np.float32]:
    """[N] thresholds that let half of the samples leave at the first exit, and nobody at another."""
    return halved(nobody_leaves(seen, score), seen.scores[score][:, 0])


def halved(nobody: NDArray[np.float32], first: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N] the thresholds with which nobody leaves, but for the first: the median of the scores [S] there."""
    return np.concatenate([[np.median(first)], nobody[1:]]).astype(np.float32)


# ---- who skips ----


def who_skips(subject: Subject, points: Sequence[Point], work: Path, seconds: float) -> Iterator[Row]:
    """Times if all leave first, half does, nobody does, in each runtime of the same network; and without conditions."""
    point, samples = points[0], subject.problem.test
    graph, exports = point.chosen.graph, Exports(work)
    if not graph.gates:
        return
    seen = point.chosen.evidence["test"]
    score = point.chosen.score
    first_stops = np.full(len(graph.gates), seen.gates[score].stop_all, np.float32)
    nobody = nobody_leaves(seen, score)
    onnxruntime = Engine(name="onnxruntime")
    network, dense = exports.save_dense(backbone(graph), "skip-alone"), exports.save_dense(graph, "skip-dense")
    model = exports.save_scratch(graph, "skip")
    openvino = Engine(name="openvino")
    runtimes: dict[str, tuple[Call, Call]] = {
        "ours, OpenVINO f32": (openvino.load_static(network), openvino.load(model)),
        "ours, ONNX Runtime f32": (onnxruntime.load_static(network), onnxruntime.load(model)),
        "ours, PyTorch eager f32": (eager(as_module(subject.problem.model), 1), run_torch.load(graph, threads=1)),
        "all exits run, then one is chosen (OpenVINO f32)": (openvino.load_static(network), openvino.load_dense(dense)),
    }
    for one in [point for point in points[1:] if point.precision != INT8_FALLBACK]:  # its exits are those of int8
        engine, variant = one.result.variant.engine, one.result.variant.exports
        runtimes.setdefault(
            f"ours, OpenVINO {one.precision}",
            (engine.load_static(variant.save_dense(backbone(graph), f"skip-{one.precision}")),
             engine.load(variant.save_scratch(graph, f"skip-if-{one.precision}"))),
        )  # fmt: skip
    first = float(path_costs(graph).relative[0])
    for name, (alone, ours) in runtimes.items():
        conditional = not name.startswith("all exits")
        limits = {"everybody leaves first": first_stops, "nobody leaves": nobody, "half leaves first": nobody}
        if conditional:  # by its own scores: in 8 bits they may be others
            answered = stream(ours, samples, thresholds=first_stops)  # type: ignore[arg-type]  # a conditional runtime
            limits["half leaves first"] = halved(nobody, np.concatenate([one.answer.score for one in answered]))
        for size in SIZES:
            systems = {"alone": alone}
            systems |= {
                what: (_with(ours, value) if conditional else ours)
                for what, value in limits.items() if size > 1 or not what.startswith("half")
            }  # fmt: skip
            times = time_all(systems, samples, size, seconds, ours=[one for one in systems if one != "alone"])
            yield {"study": "skips", "runtime": name, "batch": size, "macs_of_first": first, **times}
