"""A small early-exit network and samples for the tests of learners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from offramp import attach
from offramp.graph import DataEdge, Gate, Graph, Node, Tensor
from offramp.nn.heads import HeadRecipe, build_head
from offramp.nn.scores import build_score
from offramp.run import ArraySamples, Positions

CLASSES = 3


def read(*sources: str) -> tuple[DataEdge, ...]:
    return tuple(DataEdge(source=source) for source in sources)


def function(name: str, role: str, sources: tuple[str, ...], shape: tuple[int, ...]) -> Node:
    return Node(name=name, kind="function", role=role, inputs=read(*sources), outputs=(Tensor(shape=shape),))


def make_stages() -> list[nn.Module]:
    """Two stages with normalization layers that have seen data, the first traced as `build` traces."""
    torch.manual_seed(0)
    first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    last = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, CLASSES))
    nn.init.normal_(last[4].weight, std=0.5)  # type: ignore[arg-type]  # known here
    whole = nn.Sequential(first, last).train()
    for _ in range(5):
        whole(torch.rand(32, 1, 8, 8))
    whole.eval()
    return [fx.symbolic_trace(first), last]


def make_graph(score: str = "max_probability", head: nn.Module | None = None) -> Graph:
    """x -> stage0 -> exit 0 -> stage1, in training mode, as a careless caller may give it."""
    stages = make_stages()
    gate = Gate(direction="higher", stop_all=0.0, stop_none=2.0)
    nodes = (
        Node(name="x", kind="input", outputs=(Tensor(shape=(1, 8, 8)),)),
        function("stage0", "stage", ("x",), (4, 8, 8)),
        function("exit0/head", "head", ("stage0",), (CLASSES,)),
        function("exit0/score", "score", ("stage0", "exit0/head"), ()),
        Node(name="exit0/gate", kind="control", inputs=read("exit0/score"), edges=("exit0/stop", "stage1"), gate=gate),
        Node(name="exit0/stop", kind="dummy"),
        function("stage1", "stage", ("stage0",), (CLASSES,)),
        Node(name="answer", kind="select", inputs=read("stage1", "exit0/head"), outputs=(Tensor(shape=(CLASSES,)),)),
    )
    torch.manual_seed(1)
    bodies = {
        "stage0": stages[0].train(),
        "exit0/head": head or build_head(HeadRecipe("conv1"), (4, 8, 8), CLASSES),
        "exit0/score": build_score(score, (4, 8, 8), CLASSES),
        "stage1": stages[1].train(),
    }
    return Graph(nodes=nodes, answer="answer", bodies=bodies)


def make_reusing(*scores: str, reuse_logits: bool = True, ensemble_heads: bool = True, learned: bool = False) -> Graph:
    """Three exits that use the heads before them; `learned` draws what starts at zero or equal."""
    first, last = make_stages()
    torch.manual_seed(4)
    graph = attach.exits(
        nn.Sequential(first, *last),  # type: ignore[misc]  # as it is at run time
        torch.rand(2, 1, 8, 8),
        placement=["input", 0, -1],
        head=["conv1", "pool", "pool"],
        scores=scores or ("max_probability", "patience"),
        reuse_logits=reuse_logits,
        ensemble_heads=ensemble_heads,
    )
    for name, body in graph.bodies.items():
        own = getattr(body, "weight", None) if name.endswith("/head") else getattr(body, "log_weight", None)
        if learned and isinstance(own, nn.Parameter):
            nn.init.normal_(own)
        body.eval()  # type: ignore[attr-defined]  # a module
    return graph


def make_samples(count: int = 64) -> ArraySamples:
    pictures = np.random.default_rng(0).random((count, 1, 8, 8), dtype=np.float32)
    return ArraySamples(inputs={"x": pictures}, ids=np.array([str(row) for row in range(count)]))


class Killed(Exception):
    """Stands for the kill of a process."""


class KilledSamples:
    """Samples that kill the training at the n-th batch."""

    def __init__(self, samples: ArraySamples, *, at: int) -> None:
        self.samples, self.left = samples, at
        self.ids, self.labels = samples.ids, samples.labels

    def __len__(self) -> int:
        return len(self.samples)

    def __getattr__(self, name: str) -> Any:  # Any: as the samples behind it
        return getattr(self.samples, name)

    def __iter__(self) -> Iterator[tuple[dict[str, np.ndarray], int | None]]:
        return iter(self.samples)

    def subset(self, positions: Positions) -> ArraySamples:
        return self.samples.subset(positions)

    def take(self, positions: Positions) -> dict[str, np.ndarray]:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return self.samples.take(positions)


def weights(graph: Graph, name: str) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in graph.bodies[name].state_dict().items()}  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
