from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from offramp import attach, data, zoo
from offramp.decide import Target
from offramp.errors import CurveError
from offramp.graph import Gate, Graph
from offramp.measure import Costs, Evidence
from offramp.nn.scores import SCORES
from offramp.pipeline import Exits, Training
from offramp.pipeline._chain import (
    add_exits,
    candidates,
    check_goal,
    choose,
    costs_by_score,
    gates_by_score,
    train,
    warn_of_guessing,
)
from offramp.pipeline._problem import Problem
from offramp.pipeline._request import Request
from offramp.pipeline._screen import Screen
from offramp.run import ArraySamples
from offramp.store._folder import WorkFolder

COSTS = Costs(per_exit=np.array([25.0, 110.0]), baseline=100.0, unit="macs")
GATES = {
    "max_probability": Gate(direction="higher", stop_all=0.0, stop_none=2.0),
    "entropy": Gate(direction="lower", stop_all=1e9, stop_none=0.0),
}


def attached(*scores: str) -> Graph:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    return attach.exits(net, torch.zeros(2, 8), count=1, placement="1", scores=scores)


def evidence(part: int, count: int = 500, labels: bool = False) -> Evidence:
    """Surer samples agree more often; the entropy says nothing."""
    random = np.random.default_rng(part)
    score = random.random(count).astype(np.float32)
    reference = random.integers(0, 10, count)
    first = np.where(random.random(count) < score**0.2, reference, (reference + 1) % 10)
    luck = random.random(count).astype(np.float32)
    return Evidence(
        ids=np.arange(count) + part * count,
        predictions=np.stack([first, reference], axis=1),
        scores={"max_probability": score[:, None], "entropy": luck[:, None]},
        gates=GATES,
        reference=reference,
        labels=reference if labels else None,
    )


def asked(goal: Target, score: str = "max_probability") -> Request:
    return Request(model="m", train="d", out=Path("o"), target=goal, exits=Exits(scores=score))


def chosen(goal: Target, *, labels: bool = False, score: str = "max_probability") -> Any:
    found = {name: evidence(part, labels=labels) for part, name in enumerate(("tune", "calibrate", "test"))}
    return choose(asked(goal, score), attached(*GATES), dict.fromkeys(GATES, COSTS), found)


@pytest.mark.parametrize(
    ("score", "gating"),
    [
        ("max_probability", "max_probability"),
        ("entropy", "entropy"),
        ("entropy,max_probability", "entropy"),
        ("auto:entropy,max_probability", "max_probability"),
        ("auto:entropy", "entropy"),
        ("auto", "max_probability"),
    ],
)
def test_the_first_score_gates_or_that_of_the_largest_area(score: str, gating: str) -> None:
    found = chosen(Target(max_loss=0.1, kind="agreement"), score=score)
    assert found.score == gating
    assert found.frontier is found.frontiers[gating]
    assert found.frontier.score == gating
    assert [gate.gate for gate in found.graph.gates] == [GATES[gating]]
    assert list(found.ranking.areas) == ["max_probability", "entropy"]
    assert found.ranking.up_to == 0.1


@pytest.mark.parametrize(
    ("score", "names"),
    [
        ("margin,entropy", ("margin",)),
        ("auto:margin,entropy", ("margin", "entropy")),
        ("auto", tuple(name for name in SCORES if name != "head_confidence")),  # no regime but one teaches it
    ],
)
def test_who_may_gate_is_said_by_the_option(score: str, names: tuple[str, ...]) -> None:
    assert candidates(asked(Target(knee=True), score)) == names


def test_confidences_that_are_learned_may_gate_too() -> None:
    request = replace(asked(Target(knee=True), "auto"), training=Training(regime="cumulative"))
    assert candidates(request) == SCORES


def test_a_score_is_charged_where_it_gates() -> None:
    costs = costs_by_score(attached("max_probability", "class_mean"))
    assert (costs["class_mean"].per_exit - costs["max_probability"].per_exit).tolist() == [16 * 3, 16 * 3]


@pytest.mark.parametrize(("labels", "kind"), [(False, "agreement"), (True, "harm")])
def test_labels_decide_what_a_promise_is_about(labels: bool, kind: str) -> None:
    guarantee = chosen(Target(max_loss=0.1), labels=labels).decision.guarantee
    assert (guarantee.kind, guarantee.status) == (kind, "certified")


def test_a_budget_is_kept_and_nothing_is_promised() -> None:
    found = chosen(Target(budget=0.6))
    assert found.decision.guarantee is None
    assert found.test_loss is None
    assert found.decision.point.relative_macs <= 0.6


def test_the_knee_is_a_point_of_the_frontier() -> None:
    found = chosen(Target(knee=True))
    assert found.frontier.points[found.knee] == found.decision.point


def test_a_budget_below_the_first_exit_is_refused_before_any_work() -> None:
    costs = {"max_probability": COSTS}
    with pytest.raises(CurveError, match=r"0\.250 or more"):
        check_goal(asked(Target(budget=0.2)), costs)
    check_goal(asked(Target(budget=0.25)), costs)


def test_a_budget_must_do_for_every_score_that_may_gate() -> None:
    costs = {"margin": COSTS, "openmax": Costs(per_exit=np.array([30.0, 120.0]), baseline=100.0, unit="macs")}
    check_goal(asked(Target(budget=0.25), "margin,openmax"), costs)
    with pytest.raises(CurveError, match=r"0\.300 or more"):
        check_goal(asked(Target(budget=0.25), "auto:margin,openmax"), costs)


def test_every_score_of_a_graph_declares_its_gate() -> None:
    found = gates_by_score(attached("margin", "entropy"))
    assert {name: gate.direction for name, gate in found.items()} == {"margin": "higher", "entropy": "lower"}


@pytest.mark.parametrize(("order", "warned"), [(range(10), False), (range(9, -1, -1), True), (None, False)])
def test_labels_that_the_network_does_not_know_are_told(weights: Path, order: range | None, warned: bool) -> None:
    digits = data.load("digits@test")
    labels = None if order is None or digits.labels is None else np.array(order)[digits.labels]
    samples = ArraySamples(inputs=digits.take(slice(None)), ids=digits.ids, labels=labels)
    model, screen = zoo.load_model("zoo:mlp", weights=weights), Screen()
    parts = dict.fromkeys(("train", "tune", "calibrate", "test"), samples)
    warn_of_guessing(Problem(model=model, held_out=True, **parts), screen)  # type: ignore[arg-type]  # options by name
    assert [("of 64 samples, as by guessing" in text) for text in screen.warnings] == [True] * warned


def test_heads_are_attached_and_taught_as_asked(tmp_path: Path) -> None:
    samples = data.load("digits@train").subset(slice(64))
    model = zoo.load_model("zoo:mlp")
    problem = Problem(model=model, train=samples, tune=samples, calibrate=samples, test=samples, held_out=False)
    exits = Exits(count=2, head="pool")
    work, screen = WorkFolder(out=tmp_path / "out", path=tmp_path), Screen()
    trained = []
    for placed, options in (
        (exits, {}),
        (exits, {"targets": "hard"}),
        (exits, {"sample_weighting": 1.0}),
        (exits, {"mixup": 1.0}),
        (replace(exits, reuse_logits=True, ensemble_heads=True), {}),
    ):
        training = Training(epochs=1, **options)
        request = Request(model="zoo:mlp", train="d", out=tmp_path, exits=placed, training=training)
        trained.append(train(request, add_exits(request, problem), samples, work, screen))
    plain, hard, weighted, mixed, sharing = trained
    assert [exit.name for exit in sharing.exits] == ["exit0/head", "exit1/ensemble", "stage2"]
    assert "exit0/head" in [edge.source for edge in sharing["exit1/head"].inputs]
    for at, same in ((0, True), (1, False)):
        assert same_weights(plain, weighted, f"exit{at}/head") == same
        assert not same_weights(plain, hard, f"exit{at}/head")
        assert not same_weights(plain, mixed, f"exit{at}/head")


def same_weights(first: Graph, second: Graph, name: str) -> bool:
    pairs = zip(*(graph.bodies[name].state_dict().values() for graph in (first, second)), strict=True)  # type: ignore[attr-defined]
    return all(torch.equal(value, other) for value, other in pairs)


@pytest.mark.parametrize(
    ("options", "cuts", "heads"),
    [
        ({}, ["pool1", "flatten", "relu3"], ["light", "auto", "auto"]),
        ({"placement": ("pool1",)}, ["pool1"], ["auto"]),
        ({"placement": ("input", "pool1"), "head": ("pool", "light")}, ["input", "pool1"], ["pool", "light"]),
        ({"count": 1, "head": "pool"}, ["flatten"], ["pool"]),
    ],
)
def test_candidates_are_found_unless_exits_are_numbered_or_named(
    options: dict[str, Any], cuts: list[str], heads: list[str]
) -> None:
    problem: Any = SimpleNamespace(model=zoo.load_model("zoo:lenet5"), mean=None, std=None)
    graph = add_exits(Request(model="m", train="d", out=Path("o"), exits=Exits(**options)), problem)
    stage = next(node for node in graph.nodes if node.role == "stage")
    assert stage.recipe["cuts"] == cuts  # type: ignore[index]  # it is there
    assert [node.recipe["kind"] for node in graph.nodes if node.role == "head"] == heads  # type: ignore[index]  # it is there
