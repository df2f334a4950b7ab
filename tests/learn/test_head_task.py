"""Heads that learn beside a frozen backbone."""

from __future__ import annotations

import pytest
import torch

from early_exits import make_graph, make_samples
from offramp.errors import LearnError
from offramp.learn import DistillSettings
from offramp.learn._head_task import HeadTask
from offramp.nn import Values

BATCH = {"x": torch.from_numpy(make_samples(16).inputs["x"])}


def compare(given: Values, teacher: torch.Tensor, epoch: int) -> dict[str, torch.Tensor]:
    """How far the heads are from the teacher, epoch by epoch farther."""
    return {name: epoch * (logits - teacher).square().mean() for name, (logits, *_) in given.items()}


def test_what_is_told_reaches_the_heads_and_nothing_else() -> None:
    task = HeadTask(make_graph(), DistillSettings(learning_rate=0.5), compare)
    losses = task.losses(BATCH, None, 1)
    sum(losses.values(), torch.zeros(())).backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    taught = list(task.learner.parameters())
    assert all(parameter.grad is not None for parameter in taught)
    assert [group["params"] for group in task.optimizer.param_groups] == [taught]
    assert [group["peak"] for group in task.optimizer.param_groups] == [0.5]
    again = task.losses(BATCH, None, 3)
    for name, loss in losses.items():
        torch.testing.assert_close(again[name], 3 * loss)


def test_the_schedule_begins_anew_behind_the_warm_epochs() -> None:
    task = HeadTask(make_graph(), DistillSettings(epochs=2), compare, warm_epochs=1)
    rates = [task.rate(epoch, step, 40) for epoch in range(task.epochs) for step in range(40)]
    assert rates[0] == 0.5
    assert rates[39] < 0.01
    assert max(rates[40:]) == 1.0
    assert rates[119] < 0.01


def test_it_ends_with_heads_in_eval_mode_and_leaves_the_graph_as_it_was() -> None:
    graph = make_graph()
    task = HeadTask(graph, DistillSettings(), compare)
    with torch.no_grad():
        for parameter in task.learner.parameters():
            parameter.zero_()
    after = task.finish(make_samples(16))
    for head in [exit.name for exit in graph.exits[:-1]]:
        assert not after.bodies[head].training  # type: ignore[attr-defined]  # a module
        assert not any(parameter.any() for parameter in after.bodies[head].parameters())  # type: ignore[attr-defined]
        assert any(parameter.any() for parameter in graph.bodies[head].parameters())  # type: ignore[attr-defined]


def test_a_teacher_without_finite_answers_is_refused() -> None:
    graph = make_graph()
    final = graph.bodies[graph.exits[-1].name]
    broken = graph.with_bodies({graph.exits[-1].name: lambda *given: final(*given) * torch.nan})
    with pytest.raises(LearnError, match="finite logits"):
        HeadTask(broken, DistillSettings(), compare).losses(BATCH, None, 0)
