"""A small network on digits with two exits, quantized once for all tests that need one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import onnx
import torch
from torch import nn

from offramp import attach, compress, data, learn
from offramp.compress import Quantized
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run import Samples


@dataclass(frozen=True, kw_only=True)
class Small:
    """The network in both precisions."""

    graph: Graph
    traced: dict[str, onnx.ModelProto]
    quantized: Quantized
    samples: Samples
    held: Samples


@cache
def make_graph() -> Graph:
    """Three stages with a convolution each, trained to know most digits."""
    torch.manual_seed(0)
    sizes = ((1, 2), (8, 1), (8, 2))  # channels, stride
    stages = [nn.Sequential(nn.Conv2d(channels, 8, 3, stride, 1), nn.ReLU()) for channels, stride in sizes]
    net = nn.Sequential(*stages, nn.Flatten(), nn.Linear(8 * 49, 10))
    samples = data.load("digits@train").subset(slice(600))
    net = learn.train_classifier(net, samples, epochs=25)  # type: ignore[assignment]  # known here
    graph = attach.exits(net.eval(), torch.zeros(2, 1, 28, 28), placement=["0", "1"], head=["conv1", "conv1"])
    return learn.distill_heads(graph, samples, learn.DistillSettings(epochs=10, batch=16))


@cache
def make_small() -> Small:
    """All of it."""
    graph, samples = make_graph(), data.load("digits@train")
    traced = export_onnx.trace(graph, [node for node in graph.nodes if node.kind == "function"])
    held = data.load("digits@test")
    quantized = compress.quantize(graph, traced, samples.subset(slice(64)), judge=held.subset(slice(128)), max_change=1)
    return Small(graph=graph, traced=traced, quantized=quantized, samples=samples, held=held)
