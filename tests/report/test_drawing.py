from __future__ import annotations

import torch
from torch import nn

from offramp import attach
from offramp.graph import from_json, to_json
from offramp.report._drawing import draw_shipped


def test_scores_that_only_the_evidence_has_are_not_drawn() -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    graph = attach.exits(net, torch.zeros(2, 8), count=1, placement="1", scores=("margin", "entropy"))
    one = attach.exits(net, torch.zeros(2, 8), count=1, placement="1", scores=("margin",))
    assert len([node for node in graph.nodes if node.role == "score"]) == 2
    assert draw_shipped(graph).count("<rect") == draw_shipped(one).count("<rect")


def test_a_graph_that_was_read_again_is_drawn_alike() -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    graph = attach.exits(net, torch.zeros(2, 8), count=1, placement="1", scores=("margin", "entropy"))
    assert draw_shipped(from_json(to_json(graph))) == draw_shipped(graph)
