"""The networks that were published with their exits or control nodes, by name."""

from __future__ import annotations

from collections.abc import Callable

from offramp.graph import Graph

from ._branchynet import b_alexnet, b_lenet, b_resnet
from ._d2nn import d2nn
from ._eenets import dense_eenet, res_eenet, vgg_eenet
from ._structures import d2nn_cascade, d2nn_chain, d2nn_hierarchy, d2nn_high_low

# By name: the builder of a graph; all arguments are optional, but for those of `d2nn`, and all JSON-able, but for
# `trunk`, `modules` and `normalize`.
GRAPHS: dict[str, Callable[..., Graph]] = {
    "b_lenet": b_lenet,
    "b_alexnet": b_alexnet,
    "b_resnet": b_resnet,
    "res_eenet": res_eenet,
    "vgg_eenet": vgg_eenet,
    "dense_eenet": dense_eenet,
    "d2nn": d2nn,
    "d2nn_high_low": d2nn_high_low,
    "d2nn_cascade": d2nn_cascade,
    "d2nn_chain": d2nn_chain,
    "d2nn_hierarchy": d2nn_hierarchy,
}
