"""The file of a D2NN in the engines: is it what the reference says, and does time follow multiplications?

Shape letters: S samples, G control nodes, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _d2nn_ways import name_shares, parse_way, plain_macs, show
from _frozen import ENGINE
from numpy.typing import NDArray

from offramp.graph import Graph
from offramp.measure import RouteEvidence, latency
from offramp.nn import Executor
from offramp.pipeline.parts import Exports, draw_batches, warm
from offramp.run import Answer, Samples, run_reference
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.transform import nothing, static_route

SIZES = (1, 64)
CHECKED = 256  # samples that go through the reference interpreter
UNDECIDED = 1e-3  # best scores of a control node that lie closer may change places from engine to engine
CLOSE = 1e-3  # between logits, relative to the largest
SECONDS, QUICK = 30.0, 1.0  # on the clock per batch size
PATHS = 8  # ways on the clock: those that most samples take


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How times are taken.

    Attributes:
        work: Folder for files.
        seed: Of the order of samples.
        quick: Only to see that it runs.
    """

    work: Path
    seed: int
    quick: bool = False


def with_numpy_bodies(graph: Graph) -> Graph:
    """The same graph with bodies that the reference interpreter can call."""
    return graph.with_bodies({name: _as_numpy(body) for name, body in graph.bodies.items()})


def _as_numpy(body: Any) -> Callable[..., Any]:  # Any: a module; arrays
    def call(*given: NDArray[Any]) -> Any:
        with torch.no_grad():
            result = body(*(torch.from_numpy(np.ascontiguousarray(value)) for value in given))
        return tuple(value.numpy() for value in result) if isinstance(result, tuple) else result.numpy()

    return call


def check_engines(graph: Graph, model: Path, samples: Samples, seed: int) -> dict[str, Any]:  # Any: JSON
    """How often routes, answers and logits of the file differ from the reference, one by one and in batches."""
    chosen = np.random.default_rng(seed).permutation(len(samples))[:CHECKED]
    inputs = samples.take(chosen)
    expected = run_reference(with_numpy_bodies(graph), inputs)
    undecided = count_undecided(graph, inputs)
    found: dict[str, Any] = {"samples": len(chosen), "undecided": int(undecided.sum())}
    for name, runtime in (("onnxruntime", run_onnx.load(model)), ("openvino", run_openvino.load(model))):
        for size in SIZES:
            answers = [
                runtime({key: array[start : start + size] for key, array in inputs.items()})
                for start in range(0, len(chosen), size)
            ]
            found[f"{name}, batch {size}"] = compare(answers, expected, undecided)
    show(found)
    return found


def compare(answers: Sequence[Answer], expected: Answer, undecided: NDArray[np.bool_]) -> dict[str, Any]:  # Any: JSON
    """Samples whose route, answer or logits differ; and those among them that a control node was undecided about."""
    logits, route, taken = (
        np.concatenate([getattr(one, name) for one in answers]) for name in ("logits", "route", "exit")
    )
    elsewhere = (route != expected.route).any(axis=1) | (taken != expected.exit)
    other = logits.argmax(axis=1) != expected.logits.argmax(axis=1)
    gap = np.abs(logits - expected.logits).max(axis=1)
    far = gap > CLOSE * max(1.0, float(np.abs(expected.logits).max()))
    return {
        "route_mismatches": int(elsewhere.sum()), "answer_mismatches": int(other.sum()),
        "logit_mismatches": int(far.sum()), "undecided_mismatches": int((undecided & (elsewhere | other | far)).sum()),
        "largest_gap": float(gap[~elsewhere].max(initial=0.0)),
    }  # fmt: skip


def count_undecided(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:  # Any: their element type
    """[S] whether the best two scores of a control node on the way lie closer than engines compute."""
    executor = Executor(graph).eval()
    with torch.inference_mode():
        outcome = executor({name: torch.from_numpy(array) for name, array in inputs.items()})
    close = np.zeros(len(outcome.logits), np.bool_)
    for at, node in enumerate(graph.controls):
        best = np.sort(outcome.values[node.name].numpy(), axis=1)
        ran = outcome.route[:, at].numpy() < len(node.edges)
        close |= ran & (best[:, -1] - best[:, -2] < UNDECIDED)
    return close


def time_paths(
    graph: Graph, model: Path, samples: Samples, seen: RouteEvidence, clock: Clock
) -> dict[str, Any]:  # Any: JSON
    """Time of the ways as plain networks, of one that does nothing, and of the whole network on its natural mix."""
    shares = name_shares(graph, seen.route)
    dear = name_shares(graph, seen.route[[int(seen.macs.argmax())]])
    names = list(dict.fromkeys([*list(shares)[:PATHS], *dear]))
    exports = Exports(clock.work)
    systems: dict[str, Callable[[Any], Any]] = {}  # Any: as measure.latency calls it
    for name in names:
        systems[name] = ENGINE.load_static(
            exports.save_dense(static_route(graph, parse_way(graph, name)), f"way-{name}")
        )
    systems["empty"] = ENGINE.load_static(exports.save_dense(nothing(graph), "empty"))
    systems["whole"] = ENGINE.load(model)
    times = {}
    for size in SIZES:
        seconds = QUICK if clock.quick else SECONDS
        batches, repeats = draw_batches(systems, samples, size, seed=clock.seed, seconds=seconds)
        warm(systems["whole"], batches)
        times[size] = latency(systems, batches, repeats=repeats, seed=clock.seed)
    rows = [
        {"way": name, "share": shares.get(name, 0.0),
         "macs": float(plain_macs(graph, np.array([parse_way(graph, name)]))[0]), **_milliseconds(times, name)}
        for name in names
    ]  # fmt: skip
    whole = {"macs": float(seen.macs.mean()), **_milliseconds(times, "whole")}
    found = {"paths": rows, "whole": whole, "empty": _milliseconds(times, "empty")}
    show(found)
    return found


def _milliseconds(times: Mapping[int, Any], name: str) -> dict[str, float]:  # Any: of measure.latency
    return {f"time_ms_b{size}": 1e3 * timed[name].mean_s for size, timed in times.items()}
