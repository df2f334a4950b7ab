"""One D2NN on one task: trained for several prices of compute, and compared with what its nodes can do without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _d2nn_engines import Clock, check_engines, time_paths
from _d2nn_routes import draw_sweep
from _d2nn_ways import (
    Aim,
    Mixture,
    costs_in_turn,
    draw_thresholds,
    extremes,
    mix_extremes,
    name_shares,
    plain_macs,
    route_at_random,
    see_in_turn,
    show,
    take_way,
)
from _frozen import ENGINE, fresh
from numpy.typing import NDArray

from offramp import learn, measure
from offramp.export import onnx
from offramp.graph import Graph, find_routes
from offramp.measure import RouteEvidence
from offramp.measure.torch import count_macs
from offramp.run import Samples
from offramp.transform import static_route

Row = dict[str, Any]  # Any: JSON
References = tuple[NDArray[np.int64], NDArray[np.int64]]  # of the tuning and of the test samples
SHARES = (0.25, 0.5, 0.75)  # probabilities of a dear edge where chance decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Samples of one task: to learn from, to choose on, to judge by."""

    train: Samples
    tune: Samples
    test: Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Which network is chosen, on the tuning samples.

    Attributes:
        name: In the table.
        max_loss: The cheapest network that loses at most so much to the dearest way; None if a budget decides.
        budget: The best network that costs at most so many multiply-accumulates.
    """

    name: str
    max_loss: float | None = None
    budget: float = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is trained and compared.

    Attributes:
        name: Of the structure on its task.
        make: Fresh weights.
        plain: Training of the dearest way as a plain network.
        ways: Then training of all ways, before any is preferred; its edges are random. One of both, at least.
        again: The same once more, at another rate.
        each_way: Then of each way, one after the other: where they share nothing.
        sweep: Training of the control nodes, and of regular nodes that go on learning.
        sweep_on: How many of the training samples control nodes learn from; None for all.
        lambdas: Of the sweep.
        alone: Training of the cheapest and of the dearest way as plain networks of their own, to compare with.
        turns: Ways that thresholds try one after the other; none if no way ends with a confidence.
        positive: The class whose F1 counts; None if accuracy does.
        goals: Networks to choose.
        bags: Sizes of mini-bags to choose from, at the second highest lambda; none takes what the sweep says.
        quick: Only to see that it runs.
        named_ways: Whether all fixed ways get rows; else the cheapest and the dearest alone.
    """

    name: str
    make: Callable[[], Graph]
    sweep: learn.QSettings
    lambdas: tuple[float, ...]
    goals: tuple[Goal, ...]
    plain: learn.JointSettings | None = None
    ways: learn.QSettings | None = None
    again: learn.QSettings | None = None
    each_way: bool = False
    sweep_on: int | None = None
    alone: learn.JointSettings | None = None
    turns: tuple[tuple[int, ...], ...] = ()
    bags: tuple[int, ...] = ()
    positive: int | None = None
    named_ways: bool = True
    quick: bool = False

    def shrunk(self) -> Study:
        """The same with one epoch of each training: to see that it runs."""
        short = {
            name: replace(
                value, epochs=1, batch=50, **({"warm_epochs": 0} if name in ("ways", "again", "sweep") else {})
            )
            for name in ("ways", "again", "plain", "alone", "sweep")
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **short, lambdas=self.lambdas[:2], quick=True)


@dataclass(slots=True, kw_only=True)
class Findings:
    """What is known of one study, as it grows.

    Attributes:
        study: What was asked.
        full_macs: Cost of the dearest way as a plain network.
        test: How answers to the test samples are judged.
        rows: Of the table.
    """

    study: Study
    full_macs: float
    test: Aim
    mixture: Mixture
    rows: list[Row] = field(default_factory=list)

    def add(self, method: str, answers: NDArray[np.int64], macs: NDArray[np.float64], **more: Any) -> None:
        """A row: what answers to the test samples are worth, and whether mixing the extremes would be worth as much."""
        cost = float(macs.mean())
        row = {
            "study": self.study.name, "method": method, **self.test.judge(answers), "macs": cost,
            "relative_macs": cost / self.full_macs, "above_mixing": self.test.value(answers) - self.mixture.at(cost),
            **more,
        }  # fmt: skip
        show(row)
        self.rows.append(row)


def run_study(study: Study, parts: Parts, work: Path, seed: int) -> dict[str, Any]:  # Any: JSON
    """Train, compare, choose, check in the engines, time."""
    work.mkdir(parents=True, exist_ok=True)
    start = train_start(study, parts.train, work, seed)
    test = aim(parts.test, study)
    full = float(plain_macs(start, np.array([extremes(start)[1]]))[0])
    found = Findings(study=study, full_macs=full, test=test, mixture=mix_extremes(start, parts.test, test))
    add_ways(found, start, parts, seed)
    add_thresholds(found, start, parts)
    add_alone(found, parts, work, seed)
    references = answer_on_dearest(start, parts)
    sweep = replace(choose_bag(found, start, references, parts, work, seed), seed=seed)
    some = parts.train.subset(slice(0, study.sweep_on))
    networks = list(learn.q_sweep(start, some, sweep, accuracy_weights=study.lambdas, folder=work))
    seen = [look(graph, references, parts, work / f"{lambda_:g}.onnx") for lambda_, graph in networks]
    for (lambda_, graph), (_, test_seen) in zip(networks, seen, strict=True):
        shares = name_shares(graph, test_seen.route)
        found.add("D2NN", test_seen.predictions, test_seen.macs, accuracy_weight=lambda_, shares=shares)
    draw_sweep(start, [one for one, _ in networks], [one for _, one in seen], parts.test, test, work)
    place = add_goals(found, networks, seen, parts)
    chosen = networks[place][1]
    model = work / f"{networks[place][0]:g}.onnx"
    return {
        "study": study.name, "full_macs": full, "rows": found.rows,
        "engines": check_engines(chosen, model, parts.test, seed),
        "times": time_paths(chosen, model, parts.test, seen[place][1], Clock(work=work, seed=seed, quick=study.quick)),
    }  # fmt: skip


def aim(samples: Samples, study: Study) -> Aim:
    """How answers to these samples are judged."""
    assert samples.labels is not None, "all tasks here have labels"
    return Aim(labels=samples.labels, positive=study.positive)


# ---- training ----


def in_channels_last(graph: Graph) -> Graph:
    """The same weights, laid out as convolutions on a CPU are fastest: half of the time or less in some networks."""
    for body in graph.bodies.values():
        assert isinstance(body, torch.nn.Module)
        body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stubs lack it
    return graph


def train_start(study: Study, samples: Samples, work: Path, seed: int) -> Graph:
    """Regular nodes that can answer, before control nodes choose: learned as plain networks, all ways at random."""
    graph = in_channels_last(fresh(study.make, seed))
    if study.plain is not None:
        routes = find_routes(graph) if study.each_way else [extremes(graph)[1]]
        for at, route in enumerate(routes):
            trained = train_alone(
                graph, route, samples, replace(study.plain, seed=seed), work / f"way-{at}.ckpt"
            ).bodies
            graph = graph.with_bodies({name: body for name, body in trained.items() if name in graph.bodies})
    for name, settings in (("ways", study.ways), ("again", study.again)):
        if settings is not None:
            random = replace(settings, seed=seed, epsilon_first=1.0, epsilon_last=1.0)
            graph = learn.q(graph, samples, random, checkpoint=work / f"{name}.ckpt", resume=True)
    return in_channels_last(graph)


def train_alone(
    graph: Graph, route: Sequence[int], samples: Samples, settings: learn.JointSettings, checkpoint: Path
) -> Graph:
    """One way as a plain network, trained with labels."""
    return learn.joint(static_route(graph, route), samples, settings, checkpoint=checkpoint, resume=True)


def choose_bag(
    found: Findings, start: Graph, references: References, parts: Parts, work: Path, seed: int
) -> learn.QSettings:
    """The sweep with the size of mini-bags that comes out farthest above mixing on the tuning samples."""
    study, lambda_ = found.study, sorted(found.study.lambdas)[-2]
    if not study.bags:
        return study.sweep
    judge = aim(parts.tune, study)
    mixture = mix_extremes(start, parts.tune, judge)
    best, most = study.sweep, -1.0
    for bag in study.bags:
        settings = replace(study.sweep, bag=bag, seed=seed, accuracy_weight=lambda_)
        graph = learn.q(start, parts.train, settings, checkpoint=work / f"bag-{bag}.ckpt", resume=True)
        tune, test = look(graph, references, parts, work / f"bag-{bag}.onnx")
        above = judge.value(tune.predictions) - mixture.at(float(tune.macs.mean()))
        found.add(
            "D2NN, mini-bags", test.predictions, test.macs, bag=bag, accuracy_weight=lambda_, tune_above_mixing=above
        )
        if above > most:
            best, most = replace(study.sweep, bag=bag), above
    return best


# ---- rows ----


def add_ways(found: Findings, start: Graph, parts: Parts, seed: int) -> None:
    """Every sample on the same way, and random edges."""
    routes = list(find_routes(start)) if found.study.named_ways else list(extremes(start))
    for route in routes:
        answers, macs = take_way(start, parts.test, route)
        name = next(iter(name_shares(start, np.array([route]))))
        found.add("fixed way", answers, macs, way=name)
    for share in SHARES:
        answers, macs = route_at_random(start, parts.test, share, seed)
        found.add("random edges", answers, macs, dear_share=share)


def add_thresholds(found: Findings, start: Graph, parts: Parts) -> None:
    """Ways one after the other until one is sure enough."""
    turns = found.study.turns
    if not turns:
        return
    tune, test = (
        see_in_turn(start, part, turns, take_way(start, part, turns[-1])[0]) for part in (parts.tune, parts.test)
    )
    for thresholds, answers, macs in draw_thresholds(tune, test, costs_in_turn(start, turns)):
        found.add("thresholds", answers, macs, thresholds=thresholds)


def add_alone(found: Findings, parts: Parts, work: Path, seed: int) -> None:
    """The cheapest and the dearest way as networks of their own: nothing is shared, nothing chosen."""
    if found.study.alone is None:
        return
    graph = in_channels_last(fresh(found.study.make, seed))
    for name, route in zip(("cheapest", "dearest"), extremes(graph), strict=True):
        settings = replace(found.study.alone, seed=seed)
        alone = train_alone(graph, route, parts.train, settings, work / f"alone-{name}.ckpt")
        answers, _ = take_way(alone, parts.test, [])
        found.add("trained alone", answers, np.array([float(sum(count_macs(alone).values()))]), way=name)


def look(graph: Graph, references: References, parts: Parts, path: Path) -> tuple[RouteEvidence, RouteEvidence]:
    """Evidence of tuning and test samples, from the file in the engine that ships; reference is the dearest way."""
    runtime, macs = ENGINE.load(onnx.save(graph, path)), count_macs(graph)
    tune, test = (
        measure.route_evidence(runtime, part, graph=graph, macs=macs, reference=reference)
        for part, reference in zip((parts.tune, parts.test), references, strict=True)
    )
    return tune, test


def answer_on_dearest(start: Graph, parts: Parts) -> References:
    """Classes of the tuning and of the test samples if all take the dearest way."""
    tune, test = (take_way(start, part, extremes(start)[1])[0] for part in (parts.tune, parts.test))
    return tune, test


def add_goals(
    found: Findings,
    networks: Sequence[tuple[float, Graph]],
    seen: Sequence[tuple[RouteEvidence, RouteEvidence]],
    parts: Parts,
) -> int:
    """What each goal chooses on the tuning samples, judged on the test samples; gives the place of the first's."""
    tune_aim = aim(parts.tune, found.study)
    full = tune_aim.value(seen[0][0].reference)
    places = []
    for goal in found.study.goals:
        place, kept = choose(goal, [one for one, _ in seen], tune_aim, full)
        test = seen[place][1]
        found.add(
            "chosen", test.predictions, test.macs, goal=goal.name, kept_on_tune=kept,
            accuracy_weight=networks[place][0],
            **found.test.difference(test.predictions, test.reference),
        )  # fmt: skip
        places.append(place)
    return places[0]


def choose(goal: Goal, tune: Sequence[RouteEvidence], judge: Aim, full: float) -> tuple[int, bool]:
    """The place of a goal's network, and whether one kept it on the tuning samples; else the nearest to it."""
    values = [judge.value(one.predictions) for one in tune]
    costs = [float(one.macs.mean()) for one in tune]
    if goal.max_loss is None:
        fitting = [at for at, cost in enumerate(costs) if cost <= goal.budget]
        return (max(fitting, key=values.__getitem__), True) if fitting else (int(np.argmin(costs)), False)
    fitting = [at for at, value in enumerate(values) if value >= full - goal.max_loss]
    return (min(fitting, key=costs.__getitem__), True) if fitting else (int(np.argmax(values)), False)
