"""What the ways through a D2NN are worth without control nodes that choose: the rivals of those that learn.

One way for all samples, the cheapest and the dearest mixed at random, random edges, and confidence thresholds; all on
the same regular nodes. Control nodes cost nothing here, because nobody needs them.

Shape letters: S samples, R routes, G control nodes, K classes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from offramp import measure
from offramp.graph import Gate, Graph, find_ancestors, find_routes
from offramp.measure import Costs, Evidence, dearest_edges
from offramp.measure.torch import count_macs
from offramp.nn import Executor
from offramp.run import Samples
from offramp.transform import static_route

SURE = Gate(direction="higher", stop_all=0.0, stop_none=2.0)
SCORE = "max_probability"
DRAWN = 12  # points of a frontier of thresholds that become rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What answers are judged by.

    Attributes:
        labels: [S] the true classes.
        positive: The class whose F1 counts; None if accuracy does.
    """

    labels: NDArray[np.int64]
    positive: int | None = None

    def counts(self, answers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of right answers, of hits, of claims and of what is real: sums over samples, so that they can be mixed."""
        claimed, real = answers == self.positive, self.labels == self.positive
        return np.array([(answers == self.labels).sum(), (claimed & real).sum(), claimed.sum(), real.sum()], np.float64)

    def values(self, counts: NDArray[np.float64]) -> dict[str, float]:
        """Accuracy, and F1 if it counts."""
        right, hits, claims, real = (float(one) for one in counts)
        found = {"accuracy": right / len(self.labels)}
        return found if self.positive is None else {"f1": 2 * hits / max(claims + real, 1.0), **found}

    def judge(self, answers: NDArray[np.int64]) -> dict[str, float]:
        """Both, of answers."""
        return self.values(self.counts(answers))

    def value(self, answers: NDArray[np.int64]) -> float:
        """The one that counts."""
        return next(iter(self.judge(answers).values()))

    def difference(
        self, answers: NDArray[np.int64], others: NDArray[np.int64], seed: int = 0
    ) -> dict[str, Any]:  # Any: JSON
        """How much better than others, with its 95 % interval over resampled samples, both on the same ones."""
        random, count = np.random.default_rng(seed), len(self.labels)
        drawn = []
        for _ in range(1000):
            chosen = random.integers(count, size=count)
            part = Aim(labels=self.labels[chosen], positive=self.positive)
            drawn.append(part.value(answers[chosen]) - part.value(others[chosen]))
        low, high = np.percentile(drawn, [2.5, 97.5])
        return {"difference": self.value(answers) - self.value(others), "interval": [float(low), float(high)]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The cheapest and the dearest way, one of them for each sample at random: its expected counts."""

    aim: Aim
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    low_macs: float
    high_macs: float

    def at(self, macs: float) -> float:
        """What it is worth at a mean cost; as the dearest beyond that, as the cheapest below."""
        share = float(np.clip((macs - self.low_macs) / (self.high_macs - self.low_macs), 0, 1))
        counts = (1 - share) * self.aim.counts(self.low) + share * self.aim.counts(self.high)
        return next(iter(self.aim.values(counts).values()))


def answer_along(
    graph: Graph, samples: Samples, edges: Sequence[int] | NDArray[np.int64], *, batch: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """[S, K] logits and [S, G] routes if each control node that runs opens the given edge, [G] or [S, G]."""
    executor = Executor(graph.with_bodies(copy.deepcopy(dict(graph.bodies)))).eval()
    wanted = np.broadcast_to(np.asarray(edges, np.int64), (len(samples), len(graph.controls)))
    logits, routes = [], []
    with torch.inference_mode():
        for start in range(0, len(samples), batch):
            part = slice(start, min(start + batch, len(samples)))
            given = {name: torch.from_numpy(array) for name, array in samples.take(part).items()}
            forced = {node.name: torch.tensor(wanted[part, at]) for at, node in enumerate(graph.controls)}
            outcome = executor(given, forced=forced)
            logits.append(outcome.logits.float().numpy())
            routes.append(outcome.route.numpy())
    return np.concatenate(logits), np.concatenate(routes)


def nodes_on(graph: Graph, route: Sequence[int]) -> set[str]:
    """Names of the nodes that a way needs as a plain network: nothing that only control nodes or other ways read."""
    return {node.name for node in static_route(graph, route).nodes if node.name in graph.bodies}


def plain_macs(graph: Graph, route: NDArray[np.int64]) -> NDArray[np.float64]:
    """[S] what each sample's way costs as a plain network; routes are [S, G]."""
    macs = count_macs(graph)
    ways, which = np.unique(route, axis=0, return_inverse=True)
    costs = np.array([sum(macs[name] for name in nodes_on(graph, way.tolist())) for way in ways], np.float64)
    return costs[which.ravel()]


def cheap_edges(graph: Graph) -> list[int]:
    """Of each control node the other edge than the dearest way's; each has two."""
    return [1 - edge for edge in dear_edges(graph)]


def dear_edges(graph: Graph) -> list[int]:
    """The edges of the dearest way."""
    dear = dearest_edges(graph, count_macs(graph))
    return [dear[node.name] for node in graph.controls]


def extremes(graph: Graph) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The cheapest route, and the dearest."""
    edges, routes = dear_edges(graph), list(find_routes(graph))
    return routes[int(plain_macs(graph, np.array(routes)).argmin())], match_route(graph, edges)


def match_route(graph: Graph, edges: Sequence[int]) -> tuple[int, ...]:
    """The route whose control nodes open these edges where they run."""
    ends = [len(node.edges) for node in graph.controls]
    routes = np.array(list(find_routes(graph)))
    fits = ((routes == np.array(edges)) | (routes == np.array(ends))).all(axis=1)
    return tuple(routes[int(fits.argmax())].tolist())


def take_way(graph: Graph, samples: Samples, edges: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:  # Any: array
    """[S] answers, and [S] what they cost without control nodes."""
    logits, route = answer_along(graph, samples, edges)
    return logits.argmax(axis=1), plain_macs(graph, route)


def mix_extremes(graph: Graph, samples: Samples, aim: Aim) -> Mixture:
    """The straight line between the cheapest and the dearest way."""
    (low, low_macs), (high, high_macs) = (take_way(graph, samples, route) for route in extremes(graph))
    return Mixture(aim=aim, low=low, high=high, low_macs=float(low_macs.mean()), high_macs=float(high_macs.mean()))


def route_at_random(
    graph: Graph, samples: Samples, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """As `take_way`, where each control node opens its dear edge with this probability."""
    drawn = np.random.default_rng(seed).random((len(samples), len(graph.controls))) < share
    return take_way(graph, samples, np.where(drawn, dear_edges(graph), cheap_edges(graph)))


# ---- thresholds ----


def costs_in_turn(graph: Graph, routes: Sequence[Sequence[int]]) -> Costs:
    """Cost of the ways tried so far, if a sample takes one after the other until it is sure.

    What ran already is not run again, but for what reads a default value or lies behind it: its input has changed.
    """
    macs, total, done = count_macs(graph), [0.0], set[str]()
    for route in routes:
        new = nodes_on(graph, route) - {name for name in done if not _reads_default(graph, name)}
        total.append(total[-1] + sum(macs[name] for name in new))
        done |= new
    baseline = float(plain_macs(graph, np.array(routes)).max())
    return Costs(per_exit=np.array(total[1:]), baseline=baseline, unit="macs")


def _reads_default(graph: Graph, name: str) -> bool:
    behind = [graph[one] for one in find_ancestors(graph, name) | {name}]
    return any(edge.default is not None for node in behind for edge in node.inputs)


def see_in_turn(
    graph: Graph, samples: Samples, routes: Sequence[Sequence[int]], reference: NDArray[np.int64]
) -> Evidence:
    """What each way answers, and how sure it is."""
    logits = np.stack([answer_along(graph, samples, route)[0] for route in routes], axis=1)
    return make_evidence(samples, logits, reference)


def make_evidence(samples: Samples, logits: NDArray[np.float32], reference: NDArray[np.int64]) -> Evidence:
    """Of logits [S, R, K], the largest probability as score."""
    shifted = np.exp(logits - logits.max(axis=2, keepdims=True))
    sure = (shifted / shifted.sum(axis=2, keepdims=True)).max(axis=2)
    return Evidence(
        ids=samples.ids, predictions=logits.argmax(axis=2), scores={SCORE: sure[:, :-1]}, gates={SCORE: SURE},
        reference=reference, labels=samples.labels,
    )  # fmt: skip


def draw_thresholds(
    tune: Evidence, test: Evidence, costs: Costs
) -> Iterator[tuple[list[float], NDArray[np.int64], NDArray[np.float64]]]:
    """Thresholds from the frontier of the tuning samples; [S] answers of the test samples and what they cost."""
    points = measure.frontier(tune, costs, score=SCORE, quality="accuracy").points
    chosen = np.unique(np.linspace(0, len(points) - 1, min(DRAWN, len(points))).round().astype(int))
    for point in (points[at] for at in chosen):
        taken = measure.exits_taken(test, point.thresholds, SCORE)
        answers = test.predictions[np.arange(len(taken)), taken]
        yield [float(value) for value in point.thresholds], answers, costs.per_exit[taken]


def name_shares(graph: Graph, route: NDArray[np.int64]) -> dict[str, float]:
    """Share of the samples on each way; a way is the opened edges, "-" for a control node that did not run."""
    edges = [len(node.edges) for node in graph.controls]
    names = [
        "".join("-" if edge == last else str(edge) for edge, last in zip(way, edges, strict=True)) for way in route
    ]
    found, counts = np.unique(names, return_counts=True)
    order = np.argsort(-counts)
    return {str(found[at]): float(counts[at]) / len(route) for at in order}


def parse_way(graph: Graph, name: str) -> list[int]:
    """The route that `name_shares` names."""
    return [len(node.edges) if mark == "-" else int(mark) for node, mark in zip(graph.controls, name, strict=True)]


def show(known: Mapping[str, Any]) -> None:
    """A row as it is made."""
    print({name: round(value, 4) if isinstance(value, float) else value for name, value in known.items()}, flush=True)
