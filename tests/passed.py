"""A small early-exit network that all passes suit, and its bodies in 8 bits, made once."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import nn

from offramp import attach, compress, zoo
from offramp.compress import Quantized
from offramp.export.onnx import trace
from offramp.graph import Graph
from offramp.run import ArraySamples
from offramp.store.torch import Origin

ORIGIN = Origin(reference="tiny_network:make", arguments={"classes": 3}, shape=(1, 6, 6))
SCORES = ("max_probability", "entropy", "margin")


@cache
def make_graph() -> Graph:
    """Two stages with an exit between them and one at the input; what it answers differs from sample to sample."""
    loaded = zoo.load_model(ORIGIN.reference, arguments=ORIGIN.arguments, shape=ORIGIN.shape, seed=1)
    graph = attach.exits(
        loaded.module, loaded.example, placement=["input", "2"], head=["student:width=4", "conv1"], scores=SCORES
    )
    generator = torch.Generator().manual_seed(2)
    for name, body in graph.bodies.items():
        assert isinstance(body, nn.Module)
        for weight in body.eval().parameters():
            if weight.ndim > 1:
                nn.init.normal_(weight, std=0.6, generator=generator)
        assert name in graph.by_name
    return graph


@cache
def make_quantized() -> Quantized:
    """The last stage and a head of it in 8 bits."""
    graph = make_graph()
    pictures = np.random.default_rng(0).random((32, 1, 6, 6), np.float32)
    samples = ArraySamples(inputs={graph.inputs[0].name: pictures}, ids=np.array([str(row) for row in range(32)]))
    nodes = [graph["exit1/head"], graph["stage2"]]
    return compress.quantize(graph, trace(graph, nodes), samples, max_change=1)
