"""Rows of the benchmark branchynet: which point is as accurate as the baseline, and what it takes on the clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _branchynet_networks import Parts, Trained
from _frozen import ENGINE, observe
from _protocol import differ, milliseconds, save

from offramp import decide, measure, transform
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure import Evidence, OperatingPoint
from offramp.measure import torch as measure_torch
from offramp.pipeline.parts import Exports, price, time_network
from offramp.run import Samples


def choose_exits(graph: Graph, base: Graph, samples: Samples, work: Path, most: int | None = None) -> tuple[int, ...]:
    """The exits with which batches of 64 take least time at the baseline's accuracy, on held-out images.

    Exits that learn together make the final one better; what it is better by may be lost again, or 0.2 points.
    """
    parts = price(graph, samples, ENGINE, Exports(work), batch=64)
    seen = observe(graph, samples, work / "candidates.dense.onnx")
    before = right_alone(Trained(name="", graph=base, score="", note=""), samples, work).mean()
    better = float(np.mean(seen.predictions[:, -1] == seen.labels) - before)
    promise = decide.Target(max_loss=max(0.002, better), confidence=0.5, kind="net")
    return decide.placement(seen, parts, score="max_probability", target=promise, most=most).kept


PUBLISHED = {  # table I of the paper: accuracy %, CPU time in ms and gain, thresholds, exit rates %
    "LeNet / MNIST": (99.20, 3.37, 1.0, "-", "-"),
    "B-LeNet, published branch": (99.25, 0.62, 5.4, "0.025", "94.3 5.63"),
    "AlexNet / CIFAR-10": (78.38, 9.56, 1.0, "-", "-"),
    "B-AlexNet, published branches": (79.19, 6.32, 1.5, "0.0001 0.05", "65.6 25.2 9.2"),
}


def draw(one: Trained, tune: Evidence) -> list[tuple[str, Graph, list[OperatingPoint]]]:
    """Each score that may gate, the graph that it gates, and its points on the tuning images, the cheapest first.

    A network that names its score is BranchyNet as published, whose thresholds come from its grid.
    """
    drawn = []
    search = measure.screening if one.score else measure.frontier
    for score in [one.score] if one.score else list(tune.scores):
        graph = transform.gate_by(one.graph, score)
        points = search(tune, measure_torch.path_costs(graph), score=score, quality="accuracy").points
        drawn.append((score, graph, sorted(points, key=lambda point: point.macs)))
    return drawn


def choose(drawn: Any, tune: Evidence, wanted: Any) -> tuple[str, Graph, OperatingPoint]:  # Any: of draw; [S] array
    """Score, graph that it gates, and the cheapest point that is as accurate as wanted on the tuning images.

    As accurate as wanted is who is better by at least one standard error: the cheapest of many points looks better
    than it is.

    Args:
        drawn: By `draw`, on the same evidence.
        tune: Evidence of the tuning images.
        wanted: [S] for each image 1 if the baseline is right, less what may be lost.
    """
    found = []
    for score, graph, points in drawn:
        fine = [point for point in points if is_as_accurate(tune, point, score, wanted)]
        best = fine[0] if fine else max(points, key=lambda point: point.accuracy or 0.0)
        found.append((not fine, best.macs, score, graph, best))
    _, _, score, graph, best = min(found, key=lambda one: one[:2])
    return score, graph, best


def is_as_accurate(tune: Evidence, point: OperatingPoint, score: str, wanted: Any) -> bool:  # Any: as in `choose`
    """True if a point is better by a standard error of the difference."""
    taken = measure.exits_taken(tune, point.thresholds, score)
    difference = (tune.predictions[np.arange(len(taken)), taken] == tune.labels) - wanted
    return bool(difference.mean() >= difference.std(ddof=1) / np.sqrt(len(difference)))


def judge(
    one: Trained, parts: Parts, goals: dict[str, Any], base: Any, work: Path, seed: int
) -> Iterator[dict[str, Any]]:  # Any: JSON
    """A row for each goal of a network with exits; `base` says of each test image whether the baseline is right."""
    stem = one.name.replace("/", "").replace(", ", "-").replace(" ", "-")
    tune = observe(one.graph, parts.tune, work / f"{stem}.dense.onnx")
    test = observe(one.graph, parts.test, work / f"{stem}.dense.onnx")
    assert test.labels is not None, "these sets have labels"
    alone = [float(np.mean(test.predictions[:, at] == test.labels)) for at in range(test.predictions.shape[1])]
    drawn = draw(one, tune)
    for goal, wanted in goals.items():
        score, graph, chosen = choose(drawn, tune, wanted)
        costs = measure_torch.path_costs(graph)
        point = measure.operate(test, costs, chosen.thresholds, score=score)
        taken = measure.exits_taken(test, chosen.thresholds, score)
        right = (test.predictions[np.arange(len(taken)), taken] == test.labels).astype(float)
        times = clock(graph, score, test, parts.test, chosen.thresholds, work, stem, seed)
        curve = measure.frontier(test, costs, score=score, quality="accuracy")
        yield row(
            one, point, times, goal=goal, score=score, exits_alone=alone, macs_gain=1 / point.relative_macs,
            curve=[[at.relative_macs, at.accuracy] for at in curve.points], **differ(right - base),
        )  # fmt: skip


def clock(  # noqa: PLR0913  # all of one row
    graph: Graph, score: str, evidence: Evidence, samples: Samples, thresholds: Any, work: Path, stem: str, seed: int
) -> dict[int, Any]:
    """Baseline and ours at batch 1 and 64, interleaved; heads, scores and gates inside."""
    exports = Exports(work)
    model = save(exports, graph, work / f"{stem}.onnx", thresholds)
    return time_network(
        graph, model, test=samples, evidence=evidence, thresholds=thresholds, score=score, engine=ENGINE,
        exports=exports, seed=seed,
    )  # fmt: skip


def row(one: Trained, point: OperatingPoint, times: dict[int, Any], **more: Any) -> dict[str, Any]:  # Any: JSON
    """A row in the paper's columns, with what the paper leaves out."""
    known = {
        "network": one.name, "accuracy": point.accuracy, "macs": point.macs, "relative_macs": point.relative_macs,
        "thresholds": list(point.thresholds), "exit_rates": list(point.exit_rates),
        "published": PUBLISHED.get(one.name), "training": one.note, **more,
    }  # fmt: skip
    known |= milliseconds(times)
    print(json.dumps({name: value for name, value in known.items() if name != "curve"}), flush=True)
    return known


def table(networks: Iterator[Trained], parts: Parts, work: Path, seed: int) -> list[dict[str, Any]]:  # Any: JSON
    """Baseline, published, ours: as accurate as the first of `networks`, and nearly so."""
    base = next(networks)
    tune, test = (right_alone(base, samples, work) for samples in (parts.tune, parts.test))
    macs = measure_torch.path_costs(base.graph).baseline
    goals = {"no loss": tune, "at most 0.1 points": tune - 0.001, "at most 0.2 points": tune - 0.002}
    rows = [one for network in networks for one in judge(network, parts, goals, test, work, seed)]
    first = {
        "network": base.name, "accuracy": float(test.mean()), "macs": macs, "relative_macs": 1.0, "macs_gain": 1.0,
        "published": PUBLISHED.get(base.name), "gain_b1": 1.0, "gain_b64": 1.0, "exit_rates": [1.0], "thresholds": [],
        "time_ms_b1": rows[-1]["baseline_ms_b1"], "time_ms_b64": rows[-1]["baseline_ms_b64"], "training": base.note,
    }  # fmt: skip
    print(json.dumps(first), flush=True)
    return [first, *rows]


def right_alone(one: Trained, samples: Samples, work: Path) -> Any:  # Any: [S] array
    """For each sample 1 if a network without exits is right, else 0."""
    dense = ENGINE.load_dense(onnx.save(one.graph, work / "alone.dense.onnx", dense=True))
    found = measure.evidence(dense, samples, gates={})
    return (found.predictions[:, -1] == found.labels).astype(float)
