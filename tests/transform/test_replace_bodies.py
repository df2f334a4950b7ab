"""Other bodies, and the shapes that follow from them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from offramp.attach import d2nn
from offramp.errors import GraphError
from offramp.graph import Graph, Tensor
from offramp.nn import Executor
from offramp.transform import replace_bodies


def make() -> Graph:
    table = """
        wide: x | fc 8
        q: wide -> a, b
        a: wide | relu
        b: wide | tanh
        both: a or b
        out: both | fc 3
    """
    return d2nn(table.replace("tanh", "relu"), (4,))


def test_shapes_follow_along_the_edges_and_through_selects() -> None:
    graph = make()
    bodies: dict[str, nn.Module] = {"wide": nn.Linear(4, 2), "q": nn.Linear(2, 2), "out": nn.Linear(2, 3)}
    narrow = replace_bodies(graph, bodies)
    assert {name: narrow[name].outputs[0].shape for name in ("wide", "a", "both", "out")} == {
        "wide": (2,), "a": (2,), "both": (2,), "out": (3,),
    }  # fmt: skip
    assert Executor(narrow)({"x": torch.rand(3, 4)}).logits.shape == (3, 3)
    assert graph["wide"].outputs[0].shape == (8,)


def test_only_what_changed_runs() -> None:
    class Never(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise AssertionError("nobody changed what this reads")

    graph = make()
    graph = graph.with_bodies({"a": Never()})
    assert replace_bodies(graph, {"out": nn.Linear(8, 5)})["out"].outputs == (Tensor(shape=(5,)),)


def test_a_body_that_cannot_read_what_comes_in_now_is_named() -> None:
    with pytest.raises(GraphError, match=r"the body of 'out' must read \[\[2\]\], but raised RuntimeError"):
        replace_bodies(make(), {"wide": nn.Linear(4, 2)})


def test_a_body_that_gives_another_number_of_tensors_is_refused() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return x, x

    with pytest.raises(GraphError, match="'wide' must give 1 tensors, but gives 2"):
        replace_bodies(make(), {"wide": Two()})


def test_a_body_stays_in_the_mode_that_it_was_in() -> None:
    body = nn.Linear(8, 3).train()
    replace_bodies(make(), {"out": body})
    assert body.training
