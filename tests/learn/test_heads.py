"""The part of a graph that learns."""

from __future__ import annotations

import pytest
import torch

from early_exits import make_graph
from offramp.errors import LearnError
from offramp.learn._heads import Heads


def test_heads_are_copies_that_take_gradients() -> None:
    graph = make_graph()
    graph.bodies["exit0/head"].requires_grad_(False)
    heads = Heads(graph)
    assert all(parameter.requires_grad for parameter in heads.parameters())
    assert not any(parameter.requires_grad for parameter in graph.bodies["exit0/head"].parameters())


def test_they_read_what_the_backbone_gave() -> None:
    graph, features = make_graph(), torch.rand(3, 4, 8, 8)
    given = Heads(graph).eval()({"stage0": (features,)})
    torch.testing.assert_close(given["exit0/head"][0], graph.bodies["exit0/head"].eval()(features))


def test_a_head_that_is_no_module_is_refused_by_name() -> None:
    with pytest.raises(LearnError, match="exit0/head"):
        Heads(make_graph().with_bodies({"exit0/head": lambda x: x}))
