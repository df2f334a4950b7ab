"""Small graphs with control nodes for the tests of Q-learning."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from offramp.graph import DataEdge, Gate, Graph, Node, Tensor
from offramp.run import ArraySamples

CLASSES = 10
PIXELS = Tensor(shape=(64,))


def read(*sources: str) -> tuple[DataEdge, ...]:
    return tuple(DataEdge(source=source) for source in sources)


def function(name: str, source: str, features: int) -> Node:
    return Node(name=name, kind="function", inputs=read(source), outputs=(Tensor(shape=(features,)),))


def control(name: str, source: str, *edges: str) -> Node:
    return Node(name=name, kind="control", inputs=read(source), edges=edges)


def make_high_low(classes: int = CLASSES, norm: bool = False, seed: int = 0) -> Graph:
    """A low node that sees every fourth pixel row, and a high one that sees all through a wide layer."""
    nodes = (
        Node(name="x", kind="input", outputs=(PIXELS,)),
        control("q", "x", "high", "low"),
        function("high", "x", classes),
        function("low", "x", classes),
        Node(name="answer", kind="select", inputs=read("high", "low"), outputs=(Tensor(shape=(classes,)),)),
    )
    torch.manual_seed(seed)
    layer = [nn.BatchNorm1d(64)] if norm else []
    bodies = {
        "q": nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2)),
        "high": nn.Sequential(nn.Linear(64, 64), *layer, nn.ReLU(), nn.Linear(64, classes)),
        "low": nn.Sequential(nn.Linear(64, 4), nn.Linear(4, classes)),
    }
    return Graph(nodes=nodes, answer="answer", bodies=bodies)


def make_cascade(seed: int = 0) -> Graph:
    """Three stages that each may answer; the second control node runs only behind the first."""
    nodes = (
        Node(name="x", kind="input", outputs=(PIXELS,)),
        function("n0", "x", 6),
        function("a0", "n0", CLASSES),
        control("q0", "n0", "stop0", "n1"),
        Node(name="stop0", kind="dummy"),
        function("n1", "x", 24),
        function("a1", "n1", CLASSES),
        control("q1", "n1", "stop1", "n2"),
        Node(name="stop1", kind="dummy"),
        function("n2", "x", 128),
        function("a2", "n2", CLASSES),
        Node(name="answer", kind="select", inputs=read("a2", "a1", "a0"), outputs=(Tensor(shape=(CLASSES,)),)),
    )
    torch.manual_seed(seed)
    bodies: dict[str, nn.Module] = {}
    for at, width in enumerate((6, 24, 128)):
        bodies[f"n{at}"] = nn.Sequential(nn.Linear(64, width), nn.ReLU())
        bodies[f"a{at}"] = nn.Linear(width, CLASSES)
        if at < 2:
            bodies[f"q{at}"] = nn.Linear(width, 2)
    return Graph(nodes=nodes, answer="answer", bodies=bodies)


def make_gated() -> Graph:
    """A threshold gate alone: nothing for Q-learning."""
    gate = Gate(direction="higher", stop_all=-1e9, stop_none=1e9)
    nodes = (
        Node(name="x", kind="input", outputs=(PIXELS,)),
        function("head", "x", CLASSES),
        Node(name="score", kind="function", inputs=read("head"), outputs=(Tensor(shape=()),)),
        Node(name="gate", kind="control", inputs=read("score"), edges=("stop", "rest"), gate=gate),
        Node(name="stop", kind="dummy"),
        function("rest", "x", CLASSES),
        Node(name="answer", kind="select", inputs=read("rest", "head"), outputs=(Tensor(shape=(CLASSES,)),)),
    )
    return Graph(nodes=nodes, answer="answer")


def make_digits(start: int = 0, stop: int = 1797) -> ArraySamples:
    """scikit-learn's 8x8 digits as 64 features, in a fixed random order."""
    from sklearn import datasets

    digits = datasets.load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))[start:stop]
    pixels = (digits.data[order] / 16).astype(np.float32)
    ids = np.array([str(at) for at in order])
    return ArraySamples(inputs={"x": pixels}, ids=ids, labels=digits.target[order].astype(np.int64))


def answer(graph: Graph, samples: ArraySamples, forced: dict[str, int] | None = None) -> tuple[float, float]:
    """Accuracy, and mean MACs per sample, with some control nodes forced to an edge."""
    from offramp.measure import route_macs
    from offramp.measure.torch import count_macs
    from offramp.nn import Executor

    x = torch.from_numpy(samples.inputs["x"])
    given = {name: torch.full((len(x),), edge) for name, edge in (forced or {}).items()}
    with torch.no_grad():
        outcome = Executor(graph).eval()({"x": x}, torch.zeros(0), forced=given)
    assert samples.labels is not None
    accuracy = float((outcome.logits.argmax(1).numpy() == samples.labels).mean())
    return accuracy, float(route_macs(graph, count_macs(graph), outcome.route.numpy()).mean())
