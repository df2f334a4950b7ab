"""What answering at each exit costs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offramp import attach
from offramp.graph import Graph
from offramp.learn._charge import charge_exits


@pytest.fixture
def graph() -> Graph:
    """Stages of 100, 100 and 30 multiply-accumulates, heads of 30 + 10, a score that costs nothing."""
    net = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 3))
    scores = ("head_confidence", "max_probability")
    return attach.exits(net, torch.zeros(2, 10), placement=["1", "3"], head="pool:confidence=1", scores=scores)


def test_all_that_ran_is_charged(graph: Graph) -> None:
    expected = torch.tensor([140.0, 280.0, 310.0]) / 230
    torch.testing.assert_close(charge_exits(graph, "all"), expected)


def test_as_published_only_the_head_that_answers_is_charged(graph: Graph) -> None:
    expected = torch.tensor([140.0, 240.0, 230.0]) / 230
    torch.testing.assert_close(charge_exits(graph, "own"), expected)


def test_in_a_cascade_a_head_is_charged_with_those_that_it_hears() -> None:
    net = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 3))
    graph = attach.exits(net, torch.zeros(2, 10), placement=["1", "3"], head="pool:confidence=1", reuse_logits=True)
    expected = torch.tensor([140.0, 289.0, 230.0]) / 230  # 3 x 3 for what it hears
    torch.testing.assert_close(charge_exits(graph, "own"), expected)
