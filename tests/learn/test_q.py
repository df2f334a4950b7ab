"""Control nodes that learn which parts run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from d2nns import answer, make_cascade, make_digits, make_gated, make_high_low
from early_exits import Killed, KilledSamples
from examples import some
from offramp import attach, learn
from offramp.errors import DataError, LearnError
from offramp.graph import Graph
from offramp.nn import Executor
from offramp.run import ArraySamples

QUICK = learn.QSettings(epochs=1, warm_epochs=1, batch=16, epsilon_first=0.5, checkpoint_interval_s=0.0)
SOME = make_digits(0, 64)  # 8 steps
STEPS = 8
TRAIN, TEST = make_digits(0, 1000), make_digits(1000)


def same(first: Graph, second: Graph) -> bool:
    pairs = [(first.bodies[name].state_dict(), second.bodies[name].state_dict()) for name in first.bodies]  # type: ignore[attr-defined]  # modules
    return all(torch.equal(value, known[key]) for mine, known in pairs for key, value in mine.items())


def moved(before: Graph, after: Graph) -> set[str]:
    return {
        name
        for name in before.bodies
        if any(
            not torch.equal(one, other)
            for one, other in zip(before.bodies[name].parameters(), after.bodies[name].parameters(), strict=True)  # type: ignore[attr-defined]  # modules
        )
    }


@pytest.mark.parametrize("lambda_", [0.9, 0.8])
def test_a_cascade_beats_mixing_its_cheapest_and_its_dearest_way_at_random(lambda_: float) -> None:
    wanted = learn.QSettings(accuracy_weight=lambda_, epochs=14, batch=50, learning_rate=1e-2)
    trained = learn.q(make_cascade(), TRAIN, wanted)
    (low, cheap), (high, dear) = (answer(trained, TEST, {"q0": edge, "q1": edge}) for edge in (0, 1))
    accuracy, cost = answer(trained, TEST)
    assert accuracy > low + (high - low) * (cost - cheap) / (dear - cheap) + 0.03
    assert cost < 0.6 * dear

    def reward(right: float, macs: float) -> float:
        return lambda_ * right + (1 - lambda_) * (1 - macs / dear)

    assert reward(accuracy, cost) > max(reward(low, cheap), reward(high, dear)) + 0.01


def test_the_lower_lambda_the_cheaper() -> None:
    wanted = learn.QSettings(epochs=5, warm_epochs=3, batch=50, learning_rate=1e-2)
    costs = [
        answer(learn.q(make_high_low(), TRAIN, replace(wanted, accuracy_weight=one)), TEST)[1] for one in (1, 0.7, 0)
    ]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == 1352  # with E alone everybody takes the low node
    assert costs[0] > 5000


def make_binary() -> ArraySamples:
    """Is it an eight? One in ten."""
    return replace(TRAIN, labels=(TRAIN.labels == 8).astype(np.int64))  # type: ignore[union-attr]  # labels there


@pytest.mark.parametrize("options", [
    {}, {"regular": "q"}, {"regular": "frozen"}, {"apart": False}, {"precision": "bfloat16"}, {"judge": "teacher"},
    {"bag": 4, "metric": "f1"}, {"bag": 8, "metric": "recall", "positive": 1}, {"bag": 16, "metric": "precision"},
    {"bag": 2, "metric": lambda answers, right: float((answers == right).mean())}, {"regular_rate": 0.1},
    {"counterfactual": True},
    {"counterfactual": True, "bag": 4, "metric": "f1"},
])  # fmt: skip
def test_whatever_is_asked_the_right_nodes_learn(options: dict[str, Any]) -> None:
    graph = make_cascade()
    trained = learn.q(graph, SOME, replace(QUICK, warm_epochs=2, **options))
    everything = {*graph.bodies}
    assert moved(graph, trained) == ({"q0", "q1"} if options.get("regular") == "frozen" else everything)
    assert not any(body.training for body in trained.bodies.values())  # type: ignore[attr-defined]  # modules
    assert {type(body) for body in trained.bodies.values()} <= {nn.Sequential, nn.Linear}


def test_mini_bags_judged_by_f1_find_the_rare_class() -> None:
    samples = make_binary()
    wanted = learn.QSettings(accuracy_weight=0.9, bag=25, metric="f1", positive=1, batch=100, epochs=16, warm_epochs=4)
    trained = learn.q(make_high_low(2), samples, wanted)
    (low, cheap), (high, dear) = (answer(trained, samples, {"q": edge}) for edge in (1, 0))
    accuracy, cost = answer(trained, samples)
    assert cheap < cost < dear
    assert accuracy > low + (high - low) * (cost - cheap) / (dear - cheap)


def test_the_graph_given_stays_as_it_was() -> None:
    graph, fresh = make_high_low(norm=True), make_high_low(norm=True)
    learn.q(graph, SOME, QUICK)
    assert same(graph, fresh)
    assert all(body.training for body in graph.bodies.values())  # type: ignore[attr-defined]  # modules


def test_a_single_row_in_a_node_with_batch_normalization_breaks_nothing() -> None:
    graph = make_high_low(norm=True)
    trained = learn.q(graph, SOME, replace(QUICK, batch=2, accuracy_weight=0.5))  # often one row or none goes there
    assert np.isfinite(answer(trained, SOME)[0])
    assert "high" in moved(graph, trained)


def test_frozen_nodes_keep_their_statistics_too() -> None:
    graph = make_high_low(norm=True)
    trained = learn.q(graph, SOME, replace(QUICK, regular="frozen"))
    assert same(graph.with_bodies({"q": trained.bodies["q"]}), trained)


@pytest.mark.parametrize("make", [
    partial(attach.d2nn_high_low, (1, 28, 28), width=0.2),
    partial(attach.d2nn_cascade, (1, 32, 32), width=0.5),
    partial(attach.d2nn_chain, (1, 28, 28), classes=2, width=0.2),
    partial(attach.d2nn_hierarchy, (1, 32, 32), tree=[[[0], [1]]], first="conv 5x5 4 | pool 3", width=0.02),
])  # fmt: skip
def test_the_published_structures_learn(make: Callable[[], Graph]) -> None:
    torch.manual_seed(0)
    graph = make()
    shape = graph.inputs[0].outputs[0].shape
    pictures = np.random.default_rng(0).random((32, *shape), dtype=np.float32)
    samples = ArraySamples(inputs={"x": pictures}, ids=np.arange(32).astype(str), labels=np.arange(32) % 2)
    trained = learn.q(graph, samples, replace(QUICK, augment="none", bag=4, metric="f1", positive=1))
    assert {node.name for node in graph.controls} <= moved(graph, trained)


@settings(deadline=None, max_examples=some(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(step=1, bag=4, norm=True, twice=False)
@given(step=st.integers(0, STEPS - 1), bag=st.sampled_from([1, 4]), norm=st.booleans(), twice=st.booleans())
def test_killed_at_any_step_and_resumed_the_weights_are_equal(
    tmp_path: Path, step: int, bag: int, norm: bool, twice: bool
) -> None:
    chosen = replace(QUICK, bag=bag, metric="f1", counterfactual=twice)
    whole = learn.q(make_high_low(norm=norm), SOME, chosen)
    file = tmp_path / "q.ckpt"
    file.unlink(missing_ok=True)
    with pytest.raises(Killed):
        learn.q(make_high_low(norm=norm), KilledSamples(SOME, at=step), chosen, checkpoint=file)
    again = learn.q(make_high_low(norm=norm), SOME, chosen, checkpoint=file, resume=True)
    assert same(again, whole)


def test_a_checkpoint_of_another_lambda_or_metric_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "q.ckpt"
    learn.q(make_high_low(), SOME, QUICK, checkpoint=file)
    for other in ({"accuracy_weight": 0.5}, {"bag": 2}, {"metric": answer}):
        with pytest.raises(LearnError, match=f"{next(iter(other))} differ"):
            learn.q(make_high_low(), SOME, replace(QUICK, **other), checkpoint=file, resume=True)


def test_the_teacher_is_the_graph_as_it_was_along_its_dearest_way() -> None:
    graph = make_high_low()
    with torch.no_grad():
        x = torch.from_numpy(SOME.inputs["x"])
        high = Executor(graph).eval().dense({"x": x})["high"][0].argmax(1).numpy()
    taught = learn.q(graph, replace(SOME, labels=None), replace(QUICK, judge="teacher"))
    assert same(taught, learn.q(graph, replace(SOME, labels=high), replace(QUICK, judge="labels")))


def test_without_labels_only_a_teacher_can_judge() -> None:
    with pytest.raises(DataError, match=r'the samples have none. Add them, or judge="teacher"'):
        learn.q(make_high_low(), replace(SOME, labels=None), QUICK)


@pytest.mark.parametrize("labels", [np.full(64, 10), np.full(64, -1)])
def test_labels_without_a_class_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(DataError, match="0 to 9"):
        learn.q(make_high_low(), replace(SOME, labels=labels), QUICK)


def test_a_positive_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DataError, match="positive class must be 0 to 9"):
        learn.q(make_high_low(), SOME, replace(QUICK, positive=10, bag=4, metric="f1"))


def test_threshold_gates_alone_have_nothing_to_learn() -> None:
    with pytest.raises(LearnError, match="needs control nodes with bodies"):
        learn.q(make_gated(), SOME, QUICK)


def test_bodies_that_are_no_modules_are_refused() -> None:
    graph = make_high_low().with_bodies({"low": lambda x: x[:, :10]})
    with pytest.raises(LearnError, match="low are not"):
        learn.q(graph, SOME, QUICK)
