"""A cascade on the public ResNet-56: control nodes that learn when two trained heads may answer.

The backbone and the heads stay as they are. The heads know the training images better than new ones, so control nodes
that learn there may trust them too much; they learn in two ways: on a third of the images that nobody has seen, which
then tests nothing, and on training images.

Shape letters: S samples, E exits, K classes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _cpu import PRECISION
from _d2nn_engines import Clock, check_engines, time_paths
from _d2nn_routes import draw_sweep
from _d2nn_study import Row, in_channels_last
from _d2nn_ways import (
    SCORE,
    Aim,
    answer_along,
    costs_in_turn,
    make_evidence,
    name_shares,
    plain_macs,
    route_at_random,
    show,
)
from _frozen import PLANS, fresh, normalize, train_ours
from _protocol import compare, rounds
from numpy.typing import NDArray

from offramp import attach, data, decide, learn, measure, zoo
from offramp.decide import Turn
from offramp.errors import CurveError
from offramp.export import onnx
from offramp.graph import Graph, find_routes
from offramp.measure import RouteEvidence
from offramp.measure.torch import count_macs
from offramp.run import Samples
from offramp.run import torch as run_torch

NETWORK = "resnet56"
KEPT = (1, 5)  # of the six heads of the benchmark pteenet: nearly all its rounds keep them; one per place
LAMBDAS = (0.99, 0.97, 0.95, 0.9, 0.8)
BUDGETS = (0.7, 0.5, 0.38, 0.3)
PUBLISHED = {0.7: -0.02, 0.38: -0.07}  # Liu and Deng, on ResNet-110: accuracy at this cost
LEARNED_FROM = 5_000  # training images
SETTINGS = learn.QSettings(
    epochs=4,
    warm_epochs=12,
    batch=64,
    learning_rate=3e-3,
    regular="frozen",
    judge="labels",
    precision=PRECISION,
    counterfactual=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What control nodes learn from.

    Attributes:
        name: In the table.
        samples: By round, or the same for all.
        settings: Of the sweep.
        rotated: Whether each round has control nodes of its own.
    """

    name: str
    samples: Sequence[Samples]
    settings: learn.QSettings

    @property
    def rotated(self) -> bool:
        return len(self.samples) > 1


def run_resnet(
    reference: str, weights: Path, work: Path, heads: Path, seed: int, quick: bool
) -> dict[str, Any]:  # Any: JSON
    """Rows of all sources, of thresholds and of chance; checks and times of the first source's network."""
    work.mkdir(parents=True, exist_ok=True)
    train, test = data.load(f"{reference}@train"), data.load(f"{reference}@test")
    loaded = zoo.load_model(f"zoo:{NETWORK}", weights=weights / PLANS[NETWORK].weights)
    graph = make_cascade(
        loaded, untrained_heads(loaded, seed) if quick else train_ours(NETWORK, loaded, train, heads, seed), seed
    )
    if quick:
        train, test = train.subset(slice(0, 150)), test.subset(slice(0, 150))
    turns = rounds(len(test), seed)
    logits = np.stack([answer_along(graph, test, route)[0] for route in find_routes(graph)], axis=1)
    cascade = Cascade(graph=graph, test=test, turns=turns, reference=logits[:, -1].argmax(axis=1))
    rows = [*rows_fixed(cascade, logits), *rows_random(cascade, seed), *rows_thresholds(cascade, logits)]
    found: dict[str, Any] = {"study": NETWORK, "full_macs": cascade.full_macs, "rows": rows}
    for source in make_sources(train, test, turns, seed, quick):
        networks = train_source(cascade, source, work, seed)
        seen = [[look(cascade, graph) for _, graph in one] for one in networks]
        whole = joined(cascade, seen) if source.rotated else seen[0]
        rows += rows_of(cascade, source, seen, whole)
        if "engines" not in found:
            draw_sweep(cascade.graph, LAMBDAS, whole, cascade.test, Aim(labels=cascade.labels), work)
            found |= inspect(cascade, networks[0], seen[0], Clock(work=work, seed=seed, quick=quick))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """What all rows share.

    Attributes:
        graph: Untrained control nodes, all else trained.
        test: The images that nobody has seen.
        turns: Which of them play which part in each round.
        reference: [S] the backbone's answers.
    """

    graph: Graph
    test: Samples
    turns: Sequence[Turn]
    reference: NDArray[np.int64]

    @property
    def full_macs(self) -> float:
        """Of the backbone alone, no head."""
        macs = count_macs(self.graph)
        return float(sum(macs[node.name] for node in self.graph.nodes if node.role == "stage"))

    @property
    def labels(self) -> NDArray[np.int64]:
        assert self.test.labels is not None, "CIFAR-10 has labels"
        return self.test.labels

    def row(self, method: str, answers: NDArray[np.int64], macs: NDArray[np.float64], **more: Any) -> Row:
        """Accuracy, and how far it is from the backbone's, sample by sample."""
        found = {
            "study": NETWORK, "method": method, "macs": float(macs.mean()),
            "relative_macs": float(macs.mean()) / self.full_macs, **compare(answers, self.reference, self.labels),
            **more,
        }  # fmt: skip
        show(found)
        return found


# ---- the network ----


def untrained_heads(loaded: zoo.LoadedModel, seed: int) -> Graph:
    """The same exits with fresh heads, to see that all runs."""
    plan = PLANS[NETWORK]
    places, heads = [*["input"] * 3, *plan.late], [*plan.students, *["light"] * 3]
    return fresh(
        lambda: attach.exits(loaded.module, loaded.example, placement=places, head=heads, normalize=normalize(loaded)),
        seed,
    )


def make_cascade(loaded: zoo.LoadedModel, trained: Graph, seed: int) -> Graph:
    """The exits that are kept, with control nodes in the place of gates."""
    plan = PLANS[NETWORK]
    places, heads = [*["input"] * 3, *plan.late], [*plan.students, *["light"] * 3]
    controllers = ["light:width=16,blocks=1" if places[at] == "input" else "pool" for at in KEPT]

    def make() -> Graph:
        return attach.controllers(
            loaded.module, loaded.example, placement=[places[at] for at in KEPT], head=[heads[at] for at in KEPT],
            controller=controllers, sees="answer", normalize=normalize(loaded),
        )  # fmt: skip

    known = {f"exit{at}/head": trained.bodies[f"exit{kept}/head"] for at, kept in enumerate(KEPT)}
    return in_channels_last(fresh(make, seed).with_bodies(copy.deepcopy(known)))


def make_sources(train: Samples, test: Samples, turns: Sequence[Turn], seed: int, quick: bool) -> list[Source]:
    """Both ways to learn."""
    count = min(LEARNED_FROM, len(train))
    some = train.subset(np.random.default_rng(seed).permutation(len(train))[:count])
    settings = replace(SETTINGS, seed=seed)
    more = replace(settings, epochs=6, warm_epochs=20, batch=32)
    if quick:
        settings = more = replace(settings, epochs=1, warm_epochs=0, batch=50)
    return [
        Source(name="held-out images", samples=[test.subset(turn.tune) for turn in turns], settings=more),
        Source(name="training images", samples=[some], settings=settings),
    ]


def train_source(cascade: Cascade, source: Source, work: Path, seed: int) -> list[list[tuple[float, Graph]]]:
    """By round (one if all rounds share it), pairs of lambda and network."""
    rounds = []
    for at, samples in enumerate(source.samples):
        folder = work / f"{source.name.replace(' ', '-')}-{at}"
        folder.mkdir(parents=True, exist_ok=True)
        swept = learn.q_sweep(cascade.graph, samples, source.settings, accuracy_weights=LAMBDAS, folder=folder)
        rounds.append(list(swept))
    return rounds


# ---- rows ----


def rows_fixed(cascade: Cascade, logits: NDArray[np.float32]) -> list[Row]:
    """Everybody at the same exit, all heads before it charged."""
    routes = np.array(list(find_routes(cascade.graph)))
    macs = plain_macs(cascade.graph, routes)
    everybody = np.ones(len(logits))
    rows = [cascade.row("full network", cascade.reference, cascade.full_macs * everybody)]
    ways = [next(iter(name_shares(cascade.graph, route[None]))) for route in routes]
    return rows + [
        cascade.row("fixed way", logits[:, at].argmax(axis=1), macs[at] * everybody, way=way)
        for at, way in enumerate(ways)
    ]


def rows_random(cascade: Cascade, seed: int) -> list[Row]:
    """Chance decides who goes on."""
    return [
        cascade.row("random edges", *route_at_random(cascade.graph, cascade.test, share, seed), dear_share=share)
        for share in (0.25, 0.5, 0.7, 0.8, 0.9)
    ]


def rows_thresholds(cascade: Cascade, logits: NDArray[np.float32]) -> list[Row]:
    """Thresholds on the very same heads, chosen on two thirds, judged on the other."""
    routes = list(find_routes(cascade.graph))
    costs = replace(costs_in_turn(cascade.graph, routes), baseline=cascade.full_macs)
    evidence = make_evidence(cascade.test, logits, cascade.reference)

    def pick(budget: float, turn: Turn) -> Picked:
        drawn = measure.frontier(evidence.subset(turn.others), costs, score=SCORE, quality="accuracy")
        thresholds = decide.budget(drawn, budget).thresholds
        taken = measure.exits_taken(evidence.subset(turn.test), thresholds, SCORE)
        return evidence.predictions[turn.test, taken], costs.per_exit[taken], [float(value) for value in thresholds]

    return rotate(cascade, "thresholds", pick)


Picked = tuple[NDArray[np.int64], NDArray[np.float64], Any]  # answers, MACs, what was chosen


def rotate(cascade: Cascade, method: str, pick: Callable[[float, Turn], Picked]) -> list[Row]:
    """A row per budget: each image is judged in the round in whose choice it had no part."""
    rows = []
    for budget in BUDGETS:
        answers, macs = np.empty(len(cascade.reference), np.int64), np.empty(len(cascade.reference))
        chosen = []
        try:
            for turn in cascade.turns:
                answers[turn.test], macs[turn.test], what = pick(budget, turn)
                chosen.append(what)
        except CurveError as error:
            print(f"{method}, budget {budget}: {error}", flush=True)
            continue
        published = {"published_difference": PUBLISHED[budget]} if budget in PUBLISHED else {}
        rows.append(cascade.row(method, answers, macs, budget=budget, chosen=chosen, **published))
    return rows


def rows_of(
    cascade: Cascade, source: Source, seen: Sequence[Sequence[RouteEvidence]], whole: Sequence[RouteEvidence]
) -> list[Row]:
    """Each lambda on all images, and what budgets choose.

    Args:
        cascade: What all rows share.
        source: What control nodes learned from.
        seen: By round and lambda, what the network answered to all images.
        whole: By lambda, each image by a network that did not learn from it.
    """
    method = f"D2NN, {source.name}"
    rows = [
        cascade.row(
            method, one.predictions, one.macs, accuracy_weight=lambda_, shares=name_shares(cascade.graph, one.route)
        )
        for lambda_, one in zip(LAMBDAS, whole, strict=True)
    ]

    def pick(budget: float, turn: Turn) -> Picked:
        tune = turn.calibrate if source.rotated else turn.others  # the tuning third taught the control nodes
        known = seen[cascade.turns.index(turn)] if source.rotated else seen[0]
        place = decide.network_in_budget([one.subset(tune) for one in known], budget, kind="net").place
        assert place is not None, "a budget chooses or refuses"
        return known[place].predictions[turn.test], known[place].macs[turn.test], LAMBDAS[place]

    return rows + rotate(cascade, f"{method}, chosen", pick)


def joined(cascade: Cascade, seen: Sequence[Sequence[RouteEvidence]]) -> list[RouteEvidence]:
    """By lambda, evidence in which each third comes from its own round."""
    return [_join_thirds(cascade, [one[place] for one in seen]) for place in range(len(LAMBDAS))]


def _join_thirds(cascade: Cascade, played: Sequence[RouteEvidence]) -> RouteEvidence:
    whole = replace(
        played[0], predictions=played[0].predictions.copy(), route=played[0].route.copy(), macs=played[0].macs.copy()
    )
    for third, one in zip([turn.test for turn in cascade.turns], played, strict=True):
        whole.predictions[third], whole.route[third], whole.macs[third] = (
            one.predictions[third], one.route[third], one.macs[third]
        )  # fmt: skip
    return whole


def look(cascade: Cascade, graph: Graph) -> RouteEvidence:
    """Evidence of all unseen images; costs are compared with the backbone's."""
    seen = measure.route_evidence(
        run_torch.load(graph), cascade.test, graph=graph, macs=count_macs(graph), reference=cascade.reference, batch=256
    )
    return replace(seen, baseline_macs=cascade.full_macs)


def inspect(
    cascade: Cascade, networks: Sequence[tuple[float, Graph]], seen: Sequence[RouteEvidence], clock: Clock
) -> dict[str, Any]:  # Any: JSON
    """The network of the lower published budget in the engines and on the clock."""
    fitting = [at for at, one in enumerate(seen) if one.relative_macs <= min(PUBLISHED)]
    place = fitting[0] if fitting else int(np.argmin([one.relative_macs for one in seen]))
    lambda_, graph = networks[place]
    model = onnx.save(graph, clock.work / f"{lambda_:g}.onnx")
    return {
        "engines": check_engines(graph, model, cascade.test, clock.seed), "timed_accuracy_weight": lambda_,
        "times": time_paths(graph, model, cascade.test, seen[place], clock),
    }  # fmt: skip
