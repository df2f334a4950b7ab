"""A lambda sweep made by hand: four networks through `d2nns.make_cascade`, with every route fixed."""

from __future__ import annotations

from typing import Any

import numpy as np

from d2nns import make_cascade
from offramp.graph import Graph, find_routes
from offramp.measure import Route, RouteEvidence, RouteSweep, route_macs

SAMPLES = 60
IDS = np.array([f"s{at}" for at in range(SAMPLES)])
LABELS = np.arange(SAMPLES) % 10
MACS = {"n0": 10, "a0": 1, "q0": 1, "n1": 30, "a1": 2, "q1": 1, "n2": 100, "a2": 5}
FULL = 148.0  # the dearest way without control nodes
ROUTES: tuple[Route, ...] = ((0, 2), (1, 0), (1, 1))


def make_evidence(route: Any, right: float, graph: Graph | None = None, **changes: Any) -> RouteEvidence:
    """Of one route per sample, or the same for all; the first share of the answers is right."""
    rows = np.broadcast_to(np.asarray(route, np.int64), (SAMPLES, np.shape(route)[-1])).copy()
    predictions = np.where(np.arange(SAMPLES) < right * SAMPLES, LABELS, (LABELS + 1) % 10)
    fields = {
        "ids": IDS, "predictions": predictions, "route": rows,
        "macs": route_macs(graph or make_cascade(), MACS, rows), "baseline_macs": FULL, "reference": LABELS,
        "labels": LABELS,
    }  # fmt: skip
    return RouteEvidence(**{**fields, **changes})


def take_turns(*counts: int) -> np.ndarray:
    """[S, 2] so many samples on each of the three routes."""
    return np.repeat(np.array(ROUTES), counts, axis=0)


def make_sweep(**changes: Any) -> RouteSweep:
    """From the highest lambda to the lowest, as `learn.q_sweep` gives them."""
    graph = make_cascade()
    assert tuple(find_routes(graph)) == ROUTES
    seen = [take_turns(6, 24, 30), take_turns(20, 30, 10), take_turns(45, 15, 0), take_turns(60, 0, 0)]
    evidence = [make_evidence(route, right) for route, right in zip(seen, (0.95, 0.9, 0.7, 0.5), strict=True)]
    fixed = {route: make_evidence(route, right) for route, right in zip(ROUTES, (0.5, 0.8, 1.0), strict=True)}
    fields = {
        "graph": graph, "macs": MACS, "accuracy_weights": (0.99, 0.9, 0.6, 0.2), "evidence": evidence, "fixed": fixed
    }  # fmt: skip
    return RouteSweep(**{**fields, **changes})
