"""What all networks of the benchmark branchynet share: samples, settings, training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _cpu import PRECISION

from offramp import data, learn, zoo
from offramp.graph import Graph
from offramp.run import Samples

HELD_OUT = 5_000
SCORES = (
    "entropy",
    "max_probability",
    "margin",
    "normalized_entropy",
    "energy",
    "patience",
    "calibrated",
    "confidence",
)


def recipe(**known: Any) -> learn.JointSettings:  # Any: of JointSettings
    """Settings that all trainings here share, and some of one."""
    return learn.JointSettings(**{"precision": PRECISION, "batch": 128, "weight_decay": 1e-4, **known})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A network of the table, trained.

    Attributes:
        name: In the table.
        graph: With weights.
        score: That gates.
        note: How it was trained.
    """

    name: str
    graph: Graph
    score: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Samples of one data set: to learn from, to choose thresholds on, to judge by."""

    train: Samples
    tune: Samples
    test: Samples

    @staticmethod
    def load(reference: str, seed: int) -> Parts:
        """Hold some training images out for the thresholds."""
        whole = data.load(f"{reference}@train")
        order = np.random.default_rng(seed).permutation(len(whole))
        return Parts(
            train=whole.subset(order[HELD_OUT:]),
            tune=whole.subset(order[:HELD_OUT]),
            test=data.load(f"{reference}@test"),
        )


def train(graph: Graph, samples: Samples, settings: learn.JointSettings, work: Path, name: str) -> Graph:
    """The trained graph; a finished training leaves a checkpoint that is at its end."""
    return learn.joint(graph, samples, settings, checkpoint=work / f"{name}.ckpt", resume=True)


def trunk_of(graph: Graph, reference: str) -> torch.nn.Module:
    """The plain network of the zoo with the weights of a graph's stages."""
    module = zoo.load_model(reference).module
    module.load_state_dict(state_of(graph))
    return module.eval()


def state_of(graph: Graph) -> dict[str, torch.Tensor]:
    """The weights of a graph's stages, under the names that the plain network has for them."""
    state = {}
    for node in graph.nodes:
        if node.role == "stage":
            body: Any = graph.bodies[node.name]  # Any: a module
            state.update(body.state_dict())
    return state


def put_in_front(students: Graph, late: Graph, whole: Graph) -> Graph:
    """The untrained `whole`, whose exits are the students and those of `late`, with their weights and late's stages."""
    answers = [(graph, exit.name) for graph in (students, late) for exit in graph.exits[:-1]]
    bodies = {exit.name: graph.bodies[old] for exit, (graph, old) in zip(whole.exits[:-1], answers, strict=True)}
    stages = [[node.name for node in graph.nodes if node.role == "stage"] for graph in (whole, late)]
    return whole.with_bodies(bodies | {new: late.bodies[old] for new, old in zip(*stages, strict=True)})
