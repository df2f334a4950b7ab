"""The networks that were published with their exits or control nodes."""

from __future__ import annotations

import pytest

from offramp.attach import GRAPHS


def test_the_published_graphs_are_those_that_the_documentation_names() -> None:
    exits = ["b_lenet", "b_alexnet", "b_resnet", "res_eenet", "vgg_eenet", "dense_eenet"]
    assert list(GRAPHS) == [*exits, "d2nn", "d2nn_high_low", "d2nn_cascade", "d2nn_chain", "d2nn_hierarchy"]


@pytest.mark.parametrize("name", [name for name in GRAPHS if name.startswith("b_")])  # the others: test_eenets.py
def test_every_published_graph_is_built_without_arguments(name: str) -> None:
    graph = GRAPHS[name]()
    assert len(graph.exits) > 1
    assert graph[graph.answer].outputs[0].shape == (10,)
