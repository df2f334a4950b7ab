"""Heads that learn side by side, each on a thread of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from early_exits import make_samples, make_stages
from offramp import attach
from offramp.graph import Graph
from offramp.learn import DistillSettings, distill_heads
from offramp.learn._frozen_backbone import FrozenBackbone
from offramp.learn._parallel_heads import ParallelHeads
from offramp.learn._trainable_heads import TrainableHeads
from offramp.nn import Values


def make_graph() -> Graph:
    """Two exits with heads of their own."""
    network = nn.Sequential(*make_stages())
    torch.manual_seed(1)
    return attach.exits(network, torch.rand(2, 1, 8, 8), placement=["0", "1.3"], head="pool")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def values() -> Values:
    batch = {"x": torch.from_numpy(make_samples(16).inputs["x"])}
    return FrozenBackbone(make_graph(), "float32")(batch)


def learn(heads: TrainableHeads, values: Values, *, parallel: bool) -> list[torch.Tensor]:
    """Answers and gradients."""
    given = (ParallelHeads(heads) if parallel else heads)(values)
    loss = torch.stack([logits.square().mean() for logits, *_ in given.values()]).sum()
    loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    gradients = [weight.grad for weight in heads.parameters() if weight.grad is not None]
    assert len(gradients) == len(list(heads.parameters()))
    return [logits.detach() for logits, *_ in given.values()] + gradients


def test_answers_and_gradients_are_those_of_one_thread(values: Values) -> None:
    alone = TrainableHeads(make_graph()).train()
    beside = copy.deepcopy(alone)
    torch.testing.assert_close(learn(beside, values, parallel=True), learn(alone, values, parallel=False))


def test_each_head_has_a_thread() -> None:
    assert ParallelHeads(TrainableHeads(make_graph()))._pool is not None


def test_heads_that_draw_at_random_run_one_after_the_other() -> None:
    heads = TrainableHeads(make_graph())
    name = heads.nodes[0].name
    heads.bodies[name] = nn.Sequential(heads.bodies[name], nn.Dropout())
    assert ParallelHeads(heads)._pool is None


def test_the_number_of_threads_stays_as_it_was() -> None:
    ParallelHeads(TrainableHeads(make_graph()))
    assert torch.get_num_threads() == 2


def test_a_training_gives_the_same_twice() -> None:
    settings = DistillSettings(epochs=2, batch=16)
    first, second = (distill_heads(make_graph(), make_samples(64), settings, progress=False) for _ in range(2))
    for name, body in first.bodies.items():
        if isinstance(body, nn.Module):
            other = second.bodies[name]
            assert isinstance(other, nn.Module)
            torch.testing.assert_close(body.state_dict(), other.state_dict(), rtol=0, atol=0)
