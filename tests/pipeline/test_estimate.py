"""The estimate is arithmetic on what was measured; `measure` is tried on a real run, its figures on a quiet machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from offramp import data, zoo
from offramp.errors import LearnError
from offramp.graph import Graph
from offramp.pipeline import Engine, Exits, Progress, Training, _estimate
from offramp.pipeline._chain import add_exits
from offramp.pipeline._estimate import Pace, announce, estimate, measure
from offramp.pipeline._problem import Problem
from offramp.pipeline._request import Request
from offramp.pipeline._screen import Screen

PACE = Pace(step_s=0.1, one_s=0.0, many_s=0.0, body_s=0.0)


@pytest.fixture(scope="module")
def problem() -> Problem:
    train, rest = data.split(data.load("digits@train"), (0.6, 0.4), 0)
    tune, calibrate, test = data.split(rest, (0.3, 0.4, 0.3), 0)
    model = zoo.load_model("zoo:mlp")
    return Problem(model=model, train=train, tune=tune, calibrate=calibrate, test=test, held_out=True)


@pytest.fixture(scope="module")
def request_of() -> Request:
    return Request(model="zoo:mlp", train="digits", out=Path("out"), exits=Exits(count=1), training=Training(epochs=8))


@pytest.fixture(scope="module")
def graph(request_of: Request, problem: Problem) -> Graph:
    return add_exits(request_of, problem)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_estimate, "measure", lambda *_: PACE)
    return  # type: ignore[return-value]  # as it is at run time


def test_a_training_takes_its_steps_times_its_epochs(request_of: Request, graph: Graph, problem: Problem) -> None:
    steps = len(problem.train) // 32
    assert estimate(request_of, graph, problem, PACE) == pytest.approx(0.1 * 8 * steps)
    longer = replace(request_of, training=Training(epochs=80))
    assert estimate(longer, graph, problem, PACE) == pytest.approx(0.1 * 80 * steps)


@pytest.mark.parametrize("part", ["one_s", "many_s", "body_s"])
def test_whatever_takes_longer_makes_the_run_longer(
    part: str, request_of: Request, graph: Graph, problem: Problem
) -> None:
    slower = replace(PACE, **{part: 0.01})
    assert estimate(request_of, graph, problem, slower) > estimate(request_of, graph, problem, PACE)


def test_the_clock_is_never_awaited_longer_than_it_may_run(request_of: Request, graph: Graph, problem: Problem) -> None:
    slow = Pace(step_s=0.0, one_s=1e6, many_s=0.0, body_s=0.0)
    assert estimate(request_of, graph, problem, slow) == _estimate.SECONDS  # type: ignore[attr-defined]  # where it is used


def test_more_precisions_take_longer(request_of: Request, graph: Graph, problem: Problem) -> None:
    pace = Pace(step_s=0.0, one_s=0.001, many_s=0.001, body_s=0.1)
    whole = estimate(replace(request_of, engine=Engine(precision="auto")), graph, problem, pace)
    assert whole == pytest.approx(4 * estimate(request_of, graph, problem, pace))


def test_everything_is_measured_and_the_run_stays_as_it_is(
    request_of: Request, graph: Graph, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    paces: list[Pace] = []

    def note(*arguments: Any) -> Pace:
        paces.append(measure(*arguments))
        return paces[-1]

    monkeypatch.setattr(_estimate, "measure", note)
    before = [weight.clone() for body in graph.bodies.values() for weight in body.state_dict().values()]  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    state = torch.random.get_rng_state()
    announce(request_of, graph, problem, Screen(lambda event: None), body_s=0.1)
    (pace,) = paces
    assert min(pace.step_s, pace.one_s, pace.many_s, pace.body_s) > 0
    after = [weight for body in graph.bodies.values() for weight in body.state_dict().values()]  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.usefixtures("measured")
def test_the_estimate_is_told_before_the_training(request_of: Request, graph: Graph, problem: Problem) -> None:
    events: list[Progress] = []
    announce(request_of, graph, problem, Screen(events.append), body_s=0.1)
    assert ["about 10 seconds in all" in event.step for event in events if event.state == "said"] == [True]


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "resumed"])
def test_nothing_is_measured_where_nothing_is_told(
    quiet: bool, request_of: Request, graph: Graph, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_estimate, "measure", lambda *_: pytest.fail("it was measured"))
    announce(
        replace(request_of, resume=not quiet), graph, problem, Screen(None if quiet else lambda event: None), body_s=0.1
    )


def test_what_cannot_be_measured_is_left_to_the_run_to_say(
    request_of: Request, graph: Graph, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Progress] = []

    def fail(*_: object) -> Pace:
        raise LearnError("the loss must stay finite, but does not.")

    monkeypatch.setattr(_estimate, "measure", fail)
    announce(request_of, graph, problem, Screen(events.append), body_s=0.1)
    assert "said" not in [event.state for event in events]
