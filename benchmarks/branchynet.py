"""BranchyNet's table, made honest: accuracy, time, gain, thresholds and exit rates of three networks.

Run: python benchmarks/branchynet.py --mnist mnist:DIR --cifar npz:cifar10.npz --weights FOLDER [--networks b_lenet ...]
(writes benchmarks/results/branchynet.json and pictures beside it; --work keeps checkpoints, and what is there is not
trained again).

Published: Teerapittayanon, McDanel and Kung, "BranchyNet", ICPR 2016, table I. There the heads ran outside the timed
region and thresholds were chosen on the test set. Here everything that runs is charged and timed, and thresholds are
chosen on images held out of training (B-LeNet, B-AlexNet: 5,000 of the training images) or on the other two thirds of
the test images (ResNet-56, whose public weights saw all training images), never on the images that they are judged by.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from offramp import build, data, learn, measure
from offramp.cli._clock import time_network
from offramp.cli._engine import Engine
from offramp.cli._exports import Exports
from offramp.cli._machine import describe_machine, describe_versions
from offramp.export import onnx
from offramp.graph import Gate, Graph
from offramp.measure import Costs, Evidence, OperatingPoint
from offramp.measure import torch as measure_torch
from offramp.run import Samples

HERE = Path(__file__).parent
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
    return learn.JointSettings(**{"precision": "bfloat16", "batch": 128, "weight_decay": 1e-4, **known})


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


def fresh(make: Any, seed: int) -> Graph:  # Any: a function without arguments
    """A graph whose random weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = make()
        assert isinstance(made, Graph)
        return made


def trunk_of(graph: Graph, reference: str) -> torch.nn.Module:
    """The plain network of the zoo with the weights of a graph's stages."""
    module = build.load_model(reference).module
    state = {}
    for node in graph.nodes:
        if node.role == "stage":
            body: Any = graph.bodies[node.name]  # Any: a module
            state.update(body.state_dict())
    module.load_state_dict(state)
    return module.eval()


# ---- B-LeNet ----

# at the input: three strided convolutions, 0.106 M multiply-accumulates
LENET_HEAD = "layers:conv 5x5 6 stride 2 pad 2 | bn | relu | conv 3x3 12 stride 2 pad 1 | bn | relu | conv 3x3 24 stride 2 pad 1 | bn | relu"  # noqa: E501
LENET_BASE = recipe(epochs=20, learning_rate=2e-3)
LENET_EXITS = recipe(epochs=20, learning_rate=2e-3, weights=(1.0, 1.0))


def lenet(parts: Parts, work: Path, seed: int) -> Iterator[Trained]:
    """Baseline, published branch, our branch."""
    plain = build.load_model("zoo:b_lenet")
    alone = fresh(lambda: build.attach_exits(build.load_model("zoo:b_lenet").module, plain.example, exits=0), seed)
    base = train(alone, parts.train, replace(LENET_BASE, seed=seed), work, "lenet-base")
    note = f"{LENET_BASE.epochs} epochs, Adam at {LENET_BASE.learning_rate:g}, random crops"
    yield Trained(name="LeNet / MNIST", graph=base, score="", note=note)
    trunk = trunk_of(base, "zoo:b_lenet")
    both = f"mixed: {note}, then {LENET_EXITS.epochs} with exits"
    published = fresh(lambda: build.b_lenet(trunk=trunk, scores=SCORES), seed)
    published = train(published, parts.train, replace(LENET_EXITS, seed=seed), work, "lenet-published")
    yield Trained(name="B-LeNet, published branch", graph=published, score="entropy", note=both)
    ours = fresh(
        lambda: build.attach_exits(trunk, plain.example, placement=["input"], head=LENET_HEAD, scores=SCORES), seed
    )
    ours = train(ours, parts.train, replace(LENET_EXITS, seed=seed, distill=0.5), work, "lenet-ours")
    yield Trained(name="B-LeNet, our exit at the input", graph=ours, score="", note=f"{both}, distilled")


# ---- B-AlexNet ----

ALEXNET_BASE = recipe(epochs=20, learning_rate=1e-3)
ALEXNET_EXITS = recipe(epochs=12, learning_rate=1e-3)


def alexnet(parts: Parts, work: Path, seed: int, augment: str) -> Iterator[Trained]:
    """Baseline, published branches, our exits; "none" as in the paper, or with augmentation."""
    example = build.load_model("zoo:b_alexnet").example
    suffix = "" if augment == "none" else ", augmented"
    base = replace(
        ALEXNET_BASE, augment=augment, seed=seed, epochs=ALEXNET_BASE.epochs * (1 if augment == "none" else 2)
    )
    later = replace(ALEXNET_EXITS, augment=augment, seed=seed)
    alone = fresh(lambda: build.attach_exits(build.load_model("zoo:b_alexnet").module, example, exits=0), seed)
    trained = train(alone, parts.train, base, work, f"alexnet-base{suffix[2:]}")
    note = f"{base.epochs} epochs, Adam at {base.learning_rate:g}, augment={augment}"
    yield Trained(name=f"AlexNet / CIFAR-10{suffix}", graph=trained, score="", note=note)
    trunk = trunk_of(trained, "zoo:b_alexnet")
    both = f"mixed: {note}, then {later.epochs} with exits"
    published = fresh(lambda: build.b_alexnet(trunk=trunk, scores=SCORES), seed)
    published = train(published, parts.train, later, work, f"alexnet-published{suffix[2:]}")
    yield Trained(name=f"B-AlexNet, published branches{suffix}", graph=published, score="entropy", note=both)
    ours = fresh(
        lambda: build.attach_exits(
            trunk, example, placement=["input", "conv3"], head=["student:width=24", "light:width=48,blocks=2"],
            scores=SCORES,
        ),
        seed,
    )  # fmt: skip
    ours = train(ours, parts.train, replace(later, distill=0.3, weights=(1.0, 1.0, 1.0)), work,
                 f"alexnet-ours{suffix[2:]}")  # fmt: skip
    yield Trained(name=f"B-AlexNet, our exits{suffix}", graph=ours, score="", note=f"{both}, distilled")
