"""The part of a graph that learns."""

from __future__ import annotations

import pytest
import torch

from early_exits import make_graph, make_reusing
from offramp.errors import LearnError
from offramp.learn._trainable_heads import TrainableHeads

SHAPES = {"x": (1, 8, 8), "stage1": (4, 8, 8), "stage2": (144,)}


def test_heads_are_copies_that_take_gradients() -> None:
    graph = make_graph()
    graph.bodies["exit0/head"].requires_grad_(False)  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    heads = TrainableHeads(graph)
    assert all(parameter.requires_grad for parameter in heads.parameters())
    assert not any(parameter.requires_grad for parameter in graph.bodies["exit0/head"].parameters())  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module


def test_they_read_what_the_backbone_gave() -> None:
    graph, features = make_graph(), torch.rand(3, 4, 8, 8)
    given = TrainableHeads(graph).eval()({"stage0": (features,)})
    torch.testing.assert_close(given["exit0/head"][0], graph.bodies["exit0/head"].eval()(features))  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module


def test_a_head_that_is_no_module_is_refused_by_name() -> None:
    with pytest.raises(LearnError, match="exit0/head"):
        TrainableHeads(make_graph().with_bodies({"exit0/head": lambda x: x}))


def test_an_ensemble_teaches_no_head() -> None:
    heads = TrainableHeads(make_reusing())
    values = {name: (torch.rand(3, *shape),) for name, shape in SHAPES.items()}
    heads(values)["exit2/ensemble"][0][:, 0].sum().backward()
    assert {name for name, parameter in heads.named_parameters() if parameter.grad is not None} == {
        "bodies.exit2/ensemble.log_weight",
        "bodies.exit2/ensemble.bias",
    }


def test_a_head_teaches_no_head_whose_logits_it_reads() -> None:
    heads = TrainableHeads(make_reusing(ensemble_heads=False, learned=True))
    values = {name: (torch.rand(3, *shape),) for name, shape in SHAPES.items()}
    heads(values)["exit2/head"][0][:, 0].sum().backward()
    taught = {name.split(".")[1] for name, parameter in heads.named_parameters() if parameter.grad is not None}
    assert taught == {"exit2/head"}
