"""A graph with all its exits as one module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from early_exits import make_graph, make_reusing
from offramp import attach
from offramp.errors import LearnError
from offramp.learn._trainable_graph import TrainableGraph
from offramp.nn import Executor


class Branchy(nn.Module):
    """Cannot be traced by torch.fx: its own forward asks for a shape."""

    def __init__(self, *, norm: bool) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(8, 16), nn.BatchNorm1d(16) if norm else nn.ReLU(), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] != 8:
            raise ValueError
        out: torch.Tensor = self.last(self.norm(self.first(x)))
        return out


def exported(norm: bool) -> object:
    return attach.exits(Branchy(norm=norm), torch.rand(4, 8), count=1)


def test_in_eval_mode_it_answers_like_the_executor() -> None:
    graph = make_graph()
    x = torch.rand(5, 1, 8, 8)
    trainable = TrainableGraph(graph, "float32", frozen=False).eval()
    with torch.no_grad():
        expected = Executor(graph).eval().dense({"x": x})
        given = trainable({"x": x})
    assert list(given) == [exit.name for exit in graph.exits]
    for name in [exit.name for exit in graph.exits]:
        torch.testing.assert_close(given[name], expected[name][0], atol=1e-5, rtol=1e-5)


def test_the_final_exit_alone_runs_no_head() -> None:
    graph = make_graph()
    trainable = TrainableGraph(graph, "float32", frozen=False)
    assert list(trainable({"x": torch.rand(4, 1, 8, 8)}, final_only=True)) == ["stage1"]


def test_the_graph_given_keeps_its_weights_and_modes() -> None:
    graph = make_graph()
    trainable = TrainableGraph(graph, "float32", frozen=False).train()
    before = graph.bodies["stage1"].state_dict()["4.weight"].clone()  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    with torch.no_grad():
        for parameter in trainable.parameters():
            parameter.add_(1)
    assert torch.equal(graph.bodies["stage1"].state_dict()["4.weight"], before)  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module


def test_a_frozen_backbone_stays_in_eval_mode_and_has_no_gradients() -> None:
    trainable = TrainableGraph(make_graph(), "float32", frozen=True).train()
    assert not any(module.training for module in trainable.bodies["stage0"].modules())
    assert all(module.training for module in trainable.bodies["exit0/head"].modules())
    torch.stack([given.sum() for given in trainable({"x": torch.rand(4, 1, 8, 8)}).values()]).sum().backward()  # type: ignore[no-untyped-call]  # PyTorch's own
    assert all(parameter.grad is None for parameter in trainable.bodies["stage0"].parameters())
    assert all(parameter.grad is not None for parameter in trainable.bodies["exit0/head"].parameters())
    assert trainable.split_parameters()[0] == []


def test_parameters_of_backbone_and_heads_are_told_apart() -> None:
    trainable = TrainableGraph(make_graph(), "float32", frozen=False)
    backbone, heads = trainable.split_parameters()
    assert len(backbone) == len([*trainable.bodies["stage0"].parameters(), *trainable.bodies["stage1"].parameters()])
    assert len(heads) == len([*trainable.bodies["exit0/head"].parameters()])


def test_stages_fixed_in_eval_mode_are_refused_if_training_mode_would_differ() -> None:
    graph = exported(norm=True)
    with pytest.raises(LearnError, match=r"but stage\d(, stage\d)* were captured by torch.export in eval mode"):
        TrainableGraph(graph, "float32", frozen=False)  # type: ignore[arg-type]
    assert TrainableGraph(graph, "float32", frozen=True).split_parameters()[0] == []  # type: ignore[arg-type]


def test_stages_fixed_in_eval_mode_learn_if_training_mode_is_the_same() -> None:
    trainable = TrainableGraph(exported(norm=False), "float32", frozen=False)  # type: ignore[arg-type]
    trainable.train()({"x": torch.rand(4, 8)}, final_only=True).popitem()[1].sum().backward()
    backbone = trainable.split_parameters()[0]
    assert len(backbone) == 4  # two layers with a bias each
    assert [parameter.shape for parameter in backbone if parameter.grad is None] == []


def test_weights_that_two_stages_share_stay_shared() -> None:
    shared = nn.Linear(8, 8)
    graph = attach.exits(
        nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 3)), torch.rand(2, 8), count=1, placement="1"
    )
    trainable = TrainableGraph(graph, "float32", frozen=False)
    assert len(trainable.split_parameters()[0]) == 4  # two of the shared layer, two of the last one


def test_a_body_that_is_no_module_is_refused() -> None:
    graph = make_graph().with_bodies({"stage1": lambda x: x})
    with pytest.raises(LearnError, match="but stage1 are not"):
        TrainableGraph(graph, "float32", frozen=False)


@pytest.mark.parametrize(("reuse_logits", "ensemble_heads"), [(True, False), (False, True), (True, True)])
def test_exits_that_use_earlier_heads_answer_like_the_executor(reuse_logits: bool, ensemble_heads: bool) -> None:
    graph = make_reusing(reuse_logits=reuse_logits, ensemble_heads=ensemble_heads, learned=True)
    x = torch.rand(5, 1, 8, 8)
    trainable = TrainableGraph(graph, "float32", frozen=False).eval()
    with torch.no_grad():
        expected = Executor(graph).eval().dense({"x": x})
        given = trainable({"x": x})
        alone = trainable({"x": x}, final_only=True)
    assert list(given) == [exit.name for exit in graph.exits]
    assert list(alone) == [graph.exits[-1].name]
    for name in [exit.name for exit in graph.exits]:
        torch.testing.assert_close(given[name], expected[name][0], atol=1e-5, rtol=1e-5)


def test_heads_learn_through_the_ensembles_that_answer_for_them() -> None:
    trainable = TrainableGraph(make_reusing(), "float32", frozen=True)
    trainable({"x": torch.rand(4, 1, 8, 8)})["exit2/ensemble"][:, 0].sum().backward()
    assert all(parameter.grad is not None for parameter in trainable.bodies["exit2/head"].parameters())
