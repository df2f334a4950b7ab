"""B-LeNet on MNIST, and studies of its branch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import _frozen
import numpy as np
import torch
from _branchynet_networks import SCORES, Parts, Trained, recipe, train, trunk_of
from _branchynet_table import choose, choose_exits, draw
from _cpu import PRECISION
from _frozen import fresh, observe

from offramp import attach, learn, measure, transform, zoo
from offramp.graph import Graph
from offramp.measure import torch as measure_torch

# at the input: three strided convolutions, 0.106 M multiply-accumulates
LENET_HEAD = "layers:conv 5x5 6 stride 2 pad 2 | bn | relu | conv 3x3 12 stride 2 pad 1 | bn | relu | conv 3x3 24 stride 2 pad 1 | bn | relu"  # noqa: E501
# small maps and matrix products: 0.09 to 0.19 M, and less time for 64 pictures than the one above
LENET_QUICK = (
    LENET_HEAD,
    "layers:conv 5x5 16 stride 4 pad 2 | bn | relu | conv 3x3 32 stride 2 pad 1 | bn | relu | fc 64 | relu",
    "layers:conv 7x7 32 stride 7 | bn | relu | fc 128 | relu",
    "layers:conv 6x6 24 stride 4 pad 2 | bn | relu | conv 3x3 32 stride 2 pad 1 | bn | relu | fc 64 | relu",
)
LENET_TAUGHT = learn.DistillSettings(epochs=60, learning_rate=5e-3, mixup=0.5, precision=PRECISION)
LENET_BASE = recipe(epochs=20, learning_rate=2e-3)
LENET_EXITS = recipe(epochs=20, learning_rate=2e-3, weights=(1.0, 1.0))


def lenet(parts: Parts, work: Path, seed: int) -> Iterator[Trained]:
    """Baseline, published branch, our branch."""
    plain = zoo.load_model("zoo:b_lenet")
    base = train(lenet_alone(seed), parts.train, replace(LENET_BASE, seed=seed), work, "lenet-base")
    note = f"{LENET_BASE.epochs} epochs, Adam at {LENET_BASE.learning_rate:g}, random crops"
    yield Trained(name="LeNet / MNIST", graph=base, score="", note=note)
    trunk = trunk_of(base, "zoo:b_lenet")
    both = f"mixed: {note}, then {LENET_EXITS.epochs} with exits"
    published = fresh(lambda: attach.b_lenet(trunk=trunk, scores=SCORES), seed)
    published = train(published, parts.train, replace(LENET_EXITS, seed=seed), work, "lenet-published")
    yield Trained(name="B-LeNet, published branch", graph=published, score="entropy", note=both)
    ours = fresh(lambda: attach.exits(trunk, plain.example, placement=["input"], head=LENET_HEAD, scores=SCORES), seed)
    ours = train(ours, parts.train, replace(LENET_EXITS, seed=seed, distill=0.5), work, "lenet-ours")
    yield Trained(name="B-LeNet, our exit at the input", graph=ours, score="", note=f"{both}, distilled")
    taught = replace(LENET_TAUGHT, seed=seed)
    several = lenet_for_the_clock(trunk_of(ours, "zoo:b_lenet"), seed)
    several = learn.distill_heads(several, parts.train, taught, checkpoint=work / "lenet-taught.ckpt", resume=True)
    (kept,) = choose_exits(several, base, parts.tune, work, most=1)
    yield Trained(
        name="B-LeNet, our exit at the input, for the clock",
        graph=transform.keep_exits(several, [kept]),
        score="",
        note=f"the same; {taught.epochs} epochs of its answers on mixtures; of {len(LENET_QUICK)} heads "
        f"{LENET_QUICK[kept].removeprefix('layers:')}",
    )


def lenet_alone(seed: int) -> Graph:
    """The network without exits, untrained."""

    def make() -> Graph:
        plain = zoo.load_model("zoo:b_lenet")
        return attach.exits(plain.module, plain.example, count=0)

    return fresh(make, seed)


def lenet_for_the_clock(trunk: torch.nn.Module, seed: int) -> Graph:
    """The network with untrained candidates at the input that take little time."""
    example = zoo.load_model("zoo:b_lenet").example
    places = ["input"] * len(LENET_QUICK)
    return fresh(
        lambda: attach.exits(trunk, example, placement=places, head=list(LENET_QUICK), scores=_frozen.SCORES),
        seed,
    )


STUDY = recipe(epochs=4, learning_rate=2e-3, weights=(1.0, 0.3))
DEPTHS = (0, 1, 2, 3, 4)


def study_depth(parts: Parts, work: Path, seed: int) -> list[dict[str, Any]]:  # Any: JSON
    """What the number of convolutions in B-LeNet's branch does (the paper's figure 5), from the table's baseline."""
    base = next(lenet(parts, work, seed))
    trunk = trunk_of(base.graph, "zoo:b_lenet")
    found = []
    for depth in DEPTHS:
        graph = fresh(partial(attach.b_lenet, depths=[depth], trunk=trunk), seed)
        graph = train(graph, parts.train, replace(STUDY, seed=seed), work, f"lenet-depth{depth}")
        one = Trained(name=f"depth {depth}", graph=graph, score="", note="")  # entropy is its only score
        tune, test = (observe(graph, samples, work / "depth.onnx") for samples in (parts.tune, parts.test))
        full = (tune.predictions[:, -1] == tune.labels).astype(float)
        _, _, point = choose(draw(one, tune), tune, full - 0.002)
        judged = measure.operate(test, measure_torch.path_costs(graph), point.thresholds, score="entropy")
        alone = [float(np.mean(test.predictions[:, at] == test.labels)) for at in range(2)]
        found.append({"depth": depth, "exit_accuracy": alone[0], "final_accuracy": alone[1],
                      "accuracy": judged.accuracy, "relative_macs": judged.relative_macs})  # fmt: skip
        print(json.dumps(found[-1]), flush=True)
    return found


def study_regimes(parts: Parts, work: Path, seed: int) -> list[dict[str, Any]]:  # Any: JSON
    """What each exit of B-LeNet is worth by regime, after 8 passes over the images in all."""
    half = replace(STUDY, seed=seed)

    def learn_it(name: str, graph: Graph, **options: Any) -> Graph:  # Any: settings
        return train(graph, parts.train, replace(half, **options), work, f"lenet-{name}")

    start = fresh(attach.b_lenet, seed)
    # weights for the final exit alone: the backbone learns as if there were no branch
    backbone = learn_it("alone", start, regime="joint", weights=(0.0, 1.0))
    joint = learn_it("joint", start, regime="joint", epochs=2 * half.epochs)
    mixed = learn_it("mixed", start, backbone_epochs=half.epochs)
    frozen = learn_it("frozen", backbone, regime="frozen")
    found = []
    for name, graph in {"joint": joint, "mixed": mixed, "frozen": frozen}.items():
        test = observe(graph, parts.test, work / "regime.onnx")
        alone_ = [float(np.mean(test.predictions[:, at] == test.labels)) for at in range(2)]
        found.append({"regime": name, "exit_accuracy": alone_[0], "final_accuracy": alone_[1]})
        print(json.dumps(found[-1]), flush=True)
    return found
