"""The page of a sweep over lambda: who takes which way through a D2NN, with pictures of each way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from _d2nn_ways import Aim, extremes, plain_macs, take_way
from numpy.typing import NDArray

from offramp import measure, report
from offramp.graph import Graph
from offramp.measure import RouteEvidence
from offramp.measure.torch import count_macs
from offramp.run import Samples

PICTURE = "routes.png"


def draw_sweep(
    start: Graph, lambdas: Sequence[float], seen: Sequence[RouteEvidence], samples: Samples, judge: Aim, folder: Path
) -> None:
    """Write routes.png and routes.html into a folder.

    Args:
        start: Before control nodes chose; its cheapest and dearest way are what to compare with.
        lambdas: Of the networks.
        seen: What each answered to the samples.
        samples: The test samples.
        judge: How answers to them are judged.
        folder: Of the study.
    """
    sweep = measure.RouteSweep(
        graph=start, macs=count_macs(start), accuracy_weights=lambdas, evidence=seen,
        fixed={route: _see_way(start, route, samples, seen[0]) for route in extremes(start)},
        metric=None if judge.positive is None else _f1_of(judge.positive), metric_name="F1",
    )  # fmt: skip
    report.draw_routes(sweep, folder / PICTURE)
    report.routes(sweep, folder / "routes.html", samples=samples)


def _see_way(start: Graph, route: tuple[int, ...], samples: Samples, like: RouteEvidence) -> RouteEvidence:
    """Evidence of everybody on one way, as a plain network."""
    answers, _ = take_way(start, samples, route)
    routes = np.tile(np.array(route, np.int64), (len(samples), 1))
    return RouteEvidence(
        ids=samples.ids, predictions=answers, route=routes, macs=plain_macs(start, routes),
        baseline_macs=like.baseline_macs, reference=like.reference, labels=like.labels,
    )  # fmt: skip


def _f1_of(positive: int) -> Callable[[NDArray[np.int64], NDArray[np.int64]], float]:
    def f1(answers: NDArray[np.int64], right: NDArray[np.int64]) -> float:
        return Aim(labels=right, positive=positive).value(answers)

    return f1
