from __future__ import annotations

import copy

import pytest
import torch

from early_exits import make_graph
from offramp import attach
from offramp.errors import WeightsError
from offramp.store.torch._weights import load_state, state_of
from offramp.transform import add_fallback
from tiny_network import make


def test_weights_that_two_bodies_share_are_there_once() -> None:
    graph = attach.exits(make().eval(), torch.rand(2, 1, 6, 6), placement=["2"], head="pool")
    assert state_of(add_fallback(graph)).keys() == state_of(graph).keys()


def test_a_fallback_whose_stages_changed_since_has_its_own_weights() -> None:
    graph = add_fallback(attach.exits(make().eval(), torch.rand(2, 1, 6, 6), placement=["2"], head="pool"))
    apart = graph.with_bodies({"stage0": copy.deepcopy(graph.bodies["stage0"])})
    more = state_of(apart).keys() - state_of(graph).keys()
    assert more
    assert all(name.startswith("fallback/stages.0") for name in more)


def test_stored_weights_are_loaded() -> None:
    graph, other = make_graph(), make_graph()
    stored = {name: tensor + 1 for name, tensor in state_of(graph).items()}
    found = state_of(load_state(other, stored))
    assert all(torch.equal(found[name], stored[name]) for name in stored)


def test_a_weight_of_another_shape_is_refused() -> None:
    graph = make_graph()
    stored = state_of(graph)
    name = next(iter(stored))
    with pytest.raises(WeightsError, match="exactly the weights of the recipe"):
        load_state(graph, {**stored, name: torch.zeros(7)})
