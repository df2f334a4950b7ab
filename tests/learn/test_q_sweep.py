"""One network per lambda, each from the one before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from d2nns import answer, make_digits, make_high_low
from early_exits import Killed, KilledSamples
from offramp import learn
from offramp.errors import OptionError
from offramp.graph import Graph

SETTINGS = learn.QSettings(epochs=2, warm_epochs=1, batch=32, checkpoint_interval_s=0.0)
SOME = make_digits(0, 96)


def state(graph: Graph) -> list[torch.Tensor]:
    return [value for body in graph.bodies.values() for value in body.state_dict().values()]  # type: ignore[attr-defined]  # modules


def test_lambdas_come_from_the_highest_and_each_starts_from_the_one_before() -> None:
    swept = list(learn.q_sweep(make_high_low(), SOME, SETTINGS, accuracy_weights=(0.5, 1.0)))
    assert [one for one, _ in swept] == [1.0, 0.5]
    first = learn.q(make_high_low(), SOME, replace(SETTINGS, accuracy_weight=1.0))
    again = replace(SETTINGS, accuracy_weight=0.5, warm_epochs=0, epsilon_first=0.5)
    second = learn.q(first, SOME, again)
    for (_, graph), known in zip(swept, (first, second), strict=True):
        assert all(torch.equal(one, other) for one, other in zip(state(graph), state(known), strict=True))


def test_cost_falls_along_the_sweep() -> None:
    train, test = make_digits(0, 1000), make_digits(1000)
    wanted = learn.QSettings(epochs=6, batch=50, learning_rate=1e-2)
    swept = list(learn.q_sweep(make_high_low(), train, wanted, accuracy_weights=(1.0, 0.75, 0.0)))
    costs = [answer(graph, test)[1] for _, graph in swept]
    assert (np.diff(costs) < 0).all()


@pytest.mark.parametrize("at", [2, 11, 14])
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, at: int) -> None:
    weights = (1.0, 0.5)  # 9 and 6 steps
    whole = list(learn.q_sweep(make_high_low(), SOME, SETTINGS, accuracy_weights=weights))
    killed = KilledSamples(SOME, at=at)
    with pytest.raises(Killed):
        list(learn.q_sweep(make_high_low(), killed, SETTINGS, accuracy_weights=weights, folder=tmp_path))
    again = list(learn.q_sweep(make_high_low(), SOME, SETTINGS, accuracy_weights=weights, folder=tmp_path))
    for (_, graph), (_, known) in zip(again, whole, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(state(graph), state(known), strict=True))


@pytest.mark.parametrize("weights", [(), (0.5, 0.5), (0.5, 1.5)])
def test_lambdas_that_make_no_sweep_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(OptionError, match=r"lambda|accuracy_weight"):
        learn.q_sweep(make_high_low(), SOME, SETTINGS, accuracy_weights=weights)
