"""Which samples take which route through a network with control nodes, as pictures.

Shape letters: S samples, G control nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offramp.graph import Graph
from offramp.measure import RouteEvidence
from offramp.run import Samples

from ._route_name import name_route
from ._samples import SHOWN, Shown, show

ROWS = 8  # routes


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRow:
    """The samples that take a route.

    Attributes:
        name: The nodes that it opens.
        count: How many samples take it.
        relative_macs: What it costs, as a share of the baseline's.
        shown: Some of them, evenly spread over all.
    """

    name: str
    count: int
    relative_macs: float
    shown: tuple[Shown, ...]


def find_route_rows(graph: Graph, evidence: RouteEvidence, samples: Samples) -> tuple[list[RouteRow], int]:
    """The most frequent routes, from the cheapest to the dearest, and how many others there are.

    Args:
        graph: That answered.
        evidence: Of these samples, in the same order.
        samples: What is shown.
    """
    routes, taken = np.unique(evidence.route, axis=0, return_inverse=True)
    taken = taken.reshape(-1)
    counts = np.bincount(taken, minlength=len(routes))
    frequent = np.argsort(-counts, kind="stable")[:ROWS]
    rows = []
    for at in frequent:
        here = np.flatnonzero(taken == at)
        some = here[np.linspace(0, len(here) - 1, min(SHOWN, len(here))).astype(int)]
        rows.append(
            RouteRow(
                name=name_route(graph, routes[at].tolist()),
                count=len(here),
                relative_macs=float(evidence.macs[here[0]]) / evidence.baseline_macs,
                shown=tuple(_show(evidence, samples, int(one)) for one in some),
            )
        )
    return sorted(rows, key=lambda row: row.relative_macs), len(routes) - len(rows)


def _show(evidence: RouteEvidence, samples: Samples, position: int) -> Shown:
    answer = int(evidence.predictions[position])
    truth = None if evidence.labels is None else int(evidence.labels[position])
    right = int(evidence.reference[position]) if truth is None else truth
    return show(samples, position, answer=answer, truth=truth, wrong=answer != right)
