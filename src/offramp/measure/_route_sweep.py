"""Several networks of one graph, each trained with a weight of compute of its own: what they make of the same samples.

Shape letters: G control nodes, P networks, R routes, S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offramp.errors import EvidenceError, OptionError
from offramp.graph import Graph

from ._routed import RouteEvidence
from ._routes import active_nodes, route_macs

Route = tuple[int, ...]
Metric = Callable[[NDArray[np.int64], NDArray[np.int64]], float]
DRAWS = 20  # of a random mixture, where a metric judges sets


@dataclass(frozen=True, kw_only=True, eq=False)
class RouteSweep:
    """What the networks of a lambda sweep answered to the same samples, and which routes these took.

    Attributes:
        graph: Their structure; no body is needed.
        macs: By node, as `measure.torch.count_macs` gives them.
        accuracy_weights: [P] lambda of each network.
        evidence: [P] evidence of each, in the same order.
        fixed: By route, as `graph.find_routes` lists them, evidence of a plain network that sends everybody there.
        metric: How good answers (first) are by right classes (second), where that is not the share of right ones.
        metric_name: Of the metric.

    Raises:
        EvidenceError: No network, not one lambda for each, different samples, graphs or baselines, or a metric without
            labels.
        OptionError: A lambda is outside [0, 1], or a fixed route is none of the graph's.
    """

    graph: Graph
    macs: Mapping[str, int]
    accuracy_weights: Sequence[float]
    evidence: Sequence[RouteEvidence]
    fixed: Mapping[Route, RouteEvidence] = field(default_factory=dict)
    metric: Metric | None = None
    metric_name: str = "metric"

    def __post_init__(self) -> None:
        _check_networks(self)
        _check_samples(self)
        _check_routes(self)

    @property
    def quality_name(self) -> str:
        """What `quality` is: the metric, else accuracy, or without labels agreement."""
        if self.metric is not None:
            return self.metric_name
        return "agreement" if self.evidence[0].labels is None else "accuracy"

    def quality(self, evidence: RouteEvidence) -> float:
        """How good the answers of a network of this sweep are, between 0 and 1.

        Args:
            evidence: Evidence of one network or of one fixed route.

        Returns:
            The metric if there is one, else accuracy, else agreement.
        """
        return self._judge(evidence.predictions, evidence)

    def relative_macs(self, evidence: RouteEvidence) -> float:
        """Mean cost as a share of the sweep's baseline, that of plain networks too.

        Args:
            evidence: Evidence of one network or of one fixed route.

        Returns:
            The mean cost as a share of the baseline's.
        """
        return float(evidence.macs.mean()) / self.evidence[0].baseline_macs

    def mixture(self, chances: Mapping[Route, float]) -> tuple[float, float]:
        """Mean cost (a share of the baseline's) and expected quality if each sample takes a fixed route at random.

        Args:
            chances: The probability of each fixed route; they sum to 1.

        Returns:
            The mean cost as a share of the baseline's, and what the mixture is worth.

        Raises:
            OptionError: A route is not among the fixed ones, or the chances do not sum to 1.
        """
        missing = [route for route in chances if route not in self.fixed]
        if missing or abs(sum(chances.values()) - 1) > 1e-6:
            raise OptionError(
                f"chances must sum to 1 over fixed routes, but sum to {sum(chances.values()):g} and {missing} are not "
                "fixed. Give evidence of each route."
            )
        parts, weights = [self.fixed[route] for route in chances], np.array(list(chances.values()))
        cost = float(weights @ [self.relative_macs(part) for part in parts])
        if self.metric is None:  # a mean over samples: expectations are exact
            return cost, float(weights @ [self.quality(part) for part in parts])
        random, answers = np.random.default_rng(0), np.stack([part.predictions for part in parts])
        drawn = random.choice(len(parts), (DRAWS, answers.shape[1]), p=weights / weights.sum())
        values = [self._judge(answers[taken, np.arange(len(taken))], parts[0]) for taken in drawn]
        return cost, float(np.mean(values))

    def mixture_at(self, relative_macs: float) -> float | None:
        """Expected quality of mixing the cheapest and the dearest fixed route at random, at this mean cost.

        Above the dearest it is the dearest's; None below the cheapest, or without two fixed routes of different cost.

        Args:
            relative_macs: A cost as a share of the baseline's.

        Returns:
            What a mixture of that cost is worth.
        """
        if len(self.fixed) < 2:
            return None
        cheap, dear = self.ends
        low, high = (self.relative_macs(self.fixed[route]) for route in (cheap, dear))
        if relative_macs < low * (1 - 1e-9) or low == high:
            return None
        share = min(1.0, max(0.0, (relative_macs - low) / (high - low)))
        return self.mixture({cheap: 1 - share, dear: share})[1]

    @property
    def ends(self) -> tuple[Route, Route]:
        """The cheapest and the dearest fixed route.

        Raises:
            OptionError: There are no fixed routes.
        """
        if not self.fixed:
            raise OptionError("the cheapest and dearest route need fixed routes, but none is known. Measure some.")
        ordered = sorted(self.fixed, key=lambda route: self.relative_macs(self.fixed[route]))
        return ordered[0], ordered[-1]

    def _judge(self, answers: NDArray[np.int64], known: RouteEvidence) -> float:
        if self.metric is not None and known.labels is not None:
            return float(self.metric(answers, known.labels))
        return float((answers == (known.reference if known.labels is None else known.labels)).mean())


@dataclass(frozen=True, kw_only=True, eq=False)
class RouteShares:
    """Which routes the samples of a sweep took, from the cheapest route to the dearest.

    Attributes:
        routes: [R, G] each route that some network sent some sample.
        relative_macs: [R] what each costs, control nodes included, as a share of the baseline's.
        shares: [P, R] share of the samples that each network sends there.
    """

    routes: NDArray[np.int64]
    relative_macs: NDArray[np.float64]
    shares: NDArray[np.float64]


def route_shares(sweep: RouteSweep) -> RouteShares:
    """The share of the samples on each route, network by network.

    Args:
        sweep: The networks, and what each answered.

    Returns:
        The routes that were taken, their costs and shares.

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, arXiv 1701.00299: examples per execution path as lambda
        grows.
    """
    routes, taken = np.unique(np.concatenate([one.route for one in sweep.evidence]), axis=0, return_inverse=True)
    costs = route_macs(sweep.graph, sweep.macs, routes) / sweep.evidence[0].baseline_macs
    order = np.argsort(costs, kind="stable")
    parts = taken.reshape(len(sweep.evidence), -1)
    shares = np.stack([np.bincount(part, minlength=len(routes)) / len(part) for part in parts])
    return RouteShares(routes=routes[order], relative_macs=costs[order], shares=shares[:, order])


def node_shares(sweep: RouteSweep) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How many function nodes ran for how many samples, network by network.

    Args:
        sweep: The networks, and what each answered.

    Returns:
        The numbers of nodes that ran, and [P, numbers] the share of the samples with each, a row per network.

    Reference:
        As `route_shares`: active nodes as lambda grows.
    """
    counts = [active_nodes(sweep.graph, one.route) for one in sweep.evidence]
    present = np.unique(np.concatenate(counts))
    return present, np.stack([(one[:, None] == present).mean(axis=0) for one in counts])


def _check_networks(sweep: RouteSweep) -> None:
    weights = list(sweep.accuracy_weights)
    if not sweep.evidence or len(weights) != len(sweep.evidence):
        raise EvidenceError(
            f"a sweep needs networks with one lambda and one evidence each, but got {len(weights)} lambdas and "
            f"{len(sweep.evidence)} evidences. Give as many of both."
        )
    outside = [one for one in weights if not 0 <= one <= 1]
    if outside:
        raise OptionError(f"a lambda must lie between 0 and 1, but is {outside[0]}. Give that of the training.")
    baselines = {one.baseline_macs for one in sweep.evidence}
    if len(baselines) > 1:
        raise EvidenceError(
            f"networks of a sweep must share a baseline, but theirs cost {sorted(baselines)} MACs. Take one graph."
        )


def _check_samples(sweep: RouteSweep) -> None:
    first, everything = sweep.evidence[0], [*sweep.evidence, *sweep.fixed.values()]
    if any(not np.array_equal(one.ids, first.ids) for one in everything):
        raise EvidenceError("networks must be compared on the same samples, but their ids differ. Measure again.")
    if not len(first):
        raise EvidenceError("a sweep must be about at least one sample, but there is none. Give more.")
    unlabelled = sum(one.labels is None for one in everything)
    if 0 < unlabelled < len(everything) or (unlabelled and sweep.metric is not None):
        raise EvidenceError(
            f"all evidence or none must have labels, and a metric needs them, but {unlabelled} of {len(everything)} "
            "have none. Measure with labels."
        )


def _check_routes(sweep: RouteSweep) -> None:
    edges = [len(node.edges) for node in sweep.graph.controls]
    if not edges:
        raise EvidenceError("a sweep must be about a graph with control nodes, but this one has none. Give the D2NN.")
    if any(one.route.shape[1] != len(edges) for one in sweep.evidence):
        raise EvidenceError(
            f"evidence must be about a graph of {len(edges)} control nodes, but has routes through "
            f"{sorted({one.route.shape[1] for one in sweep.evidence})}. Give the graph that answered."
        )
    wrong = [
        route
        for route in sweep.fixed
        if len(route) != len(edges) or any(not 0 <= one <= most for one, most in zip(route, edges, strict=True))
    ]
    if wrong:
        raise OptionError(f"fixed routes must be the graph's, but {wrong} are none. See graph.find_routes.")
