"""The backbone, frozen."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from early_exits import function, make_graph
from offramp.graph import Graph, Node, Tensor
from offramp.learn._frozen_backbone import FrozenBackbone, _freeze


def test_it_gives_what_the_bodies_give_in_eval_mode() -> None:
    graph, x = make_graph(), torch.rand(5, 1, 8, 8)
    given = FrozenBackbone(graph, "float32")({"x": x})
    with torch.no_grad():
        first = graph.bodies["stage0"].eval()(x)  # type: ignore[attr-defined]  # a module
        last = graph.bodies["stage1"].eval()(first)  # type: ignore[attr-defined]  # a module
    # Folded normalization and another memory layout round differently.
    torch.testing.assert_close(given["stage0"][0], first, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(given["stage1"][0], last, atol=1e-4, rtol=1e-4)


def test_it_needs_no_heads_scores_or_gates() -> None:
    assert [node.name for node in FrozenBackbone(make_graph(), "float32").nodes] == ["stage0", "stage1"]


def test_the_final_exit_teaches() -> None:
    assert FrozenBackbone(make_graph(), "float32").teacher == "stage1"


def test_its_tensors_carry_no_gradient() -> None:
    given = FrozenBackbone(make_graph(), "float32")({"x": torch.rand(2, 1, 8, 8)})
    assert not any(tensor.requires_grad for tensors in given.values() for tensor in tensors)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_gives_float32(precision: str) -> None:
    given = FrozenBackbone(make_graph(), precision)({"x": torch.rand(2, 1, 8, 8)})  # type: ignore[arg-type]  # one of its words
    assert {tensor.dtype for tensors in given.values() for tensor in tensors} == {torch.float32}


def test_its_digest_tells_weights_apart() -> None:
    graph, other = make_graph(), make_graph()
    assert FrozenBackbone(graph, "float32").digest() == FrozenBackbone(other, "float32").digest()
    with torch.no_grad():
        other.bodies["stage1"][4].bias[0] += 1  # type: ignore[index]  # a module
    assert FrozenBackbone(graph, "float32").digest() != FrozenBackbone(other, "float32").digest()


class Shared(nn.Module):
    """One convolution, two normalizations: folding either into it would spoil the other."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 3, padding=1)
        self.first, self.second = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
        nn.init.constant_(self.first.weight, 3.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(self.convolution(x))
        return self.second(self.convolution(y)).flatten(1)  # type: ignore[no-any-return]  # layers and arrays tell no type


def test_a_layer_that_is_called_twice_is_not_folded() -> None:
    module, x = Shared().eval(), torch.rand(2, 1, 4, 4)
    nodes = (
        Node(name="x", kind="input", outputs=(Tensor(shape=(1, 4, 4)),)),
        function("last", "stage", ("x",), (16,)),
    )
    graph = Graph(nodes=nodes, answer="last", bodies={"last": fx.symbolic_trace(module)})
    torch.testing.assert_close(FrozenBackbone(graph, "float32")({"x": x})["last"][0], module(x), atol=1e-5, rtol=1e-5)


def test_normalization_is_folded_where_it_can_be() -> None:
    graph = make_graph()
    folded = _freeze(graph.bodies["stage0"])
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())  # type: ignore[attr-defined]  # a module
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in graph.bodies["stage0"].modules())  # type: ignore[attr-defined]  # a module


def test_bodies_that_are_no_modules_are_called_as_they_are() -> None:
    nodes = (Node(name="x", kind="input", outputs=(Tensor(shape=(4,)),)), function("last", "stage", ("x",), (4,)))
    frozen = FrozenBackbone(Graph(nodes=nodes, answer="last", bodies={"last": lambda x: 2 * x}), "float32")
    assert torch.equal(frozen({"x": torch.ones(1, 4)})["last"][0], torch.full((1, 4), 2.0))
    assert len(frozen.digest()) == 64
