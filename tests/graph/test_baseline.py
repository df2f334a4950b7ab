"""The network that exits were attached to, inside a graph."""

from __future__ import annotations

import torch
from torch import nn

from offramp import attach
from offramp.attach import d2nn_cascade, high_low
from offramp.graph import Graph, find_baseline, find_baseline_nodes
from offramp.nn import Normalize
from offramp.transform import add_fallback, keep_exits


def make(**more: Normalize) -> Graph:
    network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    return attach.exits(network, torch.zeros(2, 8), placement=["1", "3"], **more)  # type: ignore[arg-type]  # options by name


def test_it_ends_at_the_final_exit_of_a_network_with_exits() -> None:
    assert find_baseline(make()).name == "stage2"


def test_it_is_the_first_of_two_networks_that_stand_behind_each_other() -> None:
    assert find_baseline(add_fallback(make())).name == "exit2/head"


def test_without_an_exit_at_its_end_it_is_the_network_behind() -> None:
    assert find_baseline(keep_exits(add_fallback(make()), [0])).name == "fallback"


def test_it_is_the_capable_one_of_two_networks() -> None:
    graph = high_low(nn.Linear(8, 3), nn.Linear(8, 3), torch.zeros(2, 8), controller="pool")
    assert find_baseline(graph).name == "large"


def test_a_graph_without_stages_has_its_final_exit() -> None:
    assert find_baseline(d2nn_cascade(width=0.25)).name == "n7"


def test_its_nodes_are_those_that_it_depends_on_through_data() -> None:
    graph = make(normalize=Normalize((0.5,), (0.5,)))
    assert find_baseline_nodes(graph) == ("x", "normalize", "stage0", "stage1", "stage2")
