"""The networks of the benchmark runtime, trained and with trained candidates for exits, and their samples.

Trainings are those of the other benchmarks and are taken from their folders; what is not there is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import _frozen
import _resnet56_heads
import _text
import torch
from _branchynet_alexnet import (
    ALEXNET_BASE,
    ALEXNET_EXITS,
    ALEXNET_TAUGHT,
    CIFAR,
    alexnet,
    alexnet_alone,
    train_alexnet,
)
from _branchynet_lenet import LENET_BASE, LENET_TAUGHT, lenet, lenet_alone, lenet_for_the_clock
from _branchynet_networks import Parts, state_of, train, trunk_of
from _cpu import PRECISION

from offramp import attach, data, learn, zoo
from offramp.graph import Graph
from offramp.pipeline.parts import Problem
from offramp.run import Samples
from offramp.zoo import LoadedModel

PARTS = (0.30, 0.35, 0.35)  # of the samples that nobody has seen: tune, calibrate, test
LEARNED_FROM = 2_000  # samples without labels for the ranges of 8-bit numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One network.

    Attributes:
        name: In the table.
        graph: With trained exits, or candidates for them.
        problem: The network itself and the samples, in parts.
    """

    name: str
    graph: Graph
    problem: Problem


def make(name: str, graph: Graph, model: LoadedModel, train: Samples, held: Samples, seed: int) -> Subject:
    """A subject whose held-out samples are divided at random."""
    tune, calibrate, test = data.split(held, PARTS, seed)
    problem = Problem(
        model=model, train=train.subset(slice(0, LEARNED_FROM)), tune=tune, calibrate=calibrate, test=test,
        held_out=True, mean=model.mean, std=model.std,
    )  # fmt: skip
    return Subject(name=name, graph=graph, problem=problem)


def resnet56(options: argparse.Namespace) -> Subject:
    """The public weights, with all candidates of the benchmark pteenet: those kept here, or its own."""
    name = "resnet56"
    loaded = zoo.load_model(f"zoo:{name}", weights=Path(options.weights) / _frozen.PLANS[name].weights)
    train, test = data.load(f"{options.cifar}@train"), data.load(f"{options.cifar}@test")
    if options.heads:
        graph = _frozen.train_ours(name, loaded, train, Path(options.heads), options.seed)
    else:
        graph = _resnet56_heads.load(loaded, options.seed)
    return make(name, graph, loaded, train, test, options.seed)


def b_lenet(options: argparse.Namespace) -> Subject:
    """The benchmark branchynet's, with our exit for the clock."""
    parts, work = Parts.load(options.mnist, options.seed), Path(options.branchynet or options.work)
    if options.short:
        graph = short_lenet(parts, work, options.seed)
    else:
        *_, ours = lenet(parts, work, options.seed)
        graph = ours.graph
    model = replace(zoo.load_model("zoo:b_lenet"), module=trunk_of(graph, "zoo:b_lenet"))
    return make("b_lenet", graph, model, parts.train, parts.test, options.seed)


def short_lenet(parts: Parts, work: Path, seed: int) -> Graph:
    """The same with fewer epochs: 5 alone, 12 of all candidates."""
    base = replace(LENET_BASE, epochs=5, seed=seed)
    trained = train(lenet_alone(seed), parts.train, base, work, "lenet-short-base")
    several = lenet_for_the_clock(trunk_of(trained, "zoo:b_lenet"), seed)
    taught = replace(LENET_TAUGHT, epochs=12, seed=seed)
    return learn.distill_heads(several, parts.train, taught, checkpoint=work / "lenet-short-taught.ckpt", resume=True)


def b_alexnet(options: argparse.Namespace) -> Subject:
    """The benchmark branchynet's, trained without augmentation as in the paper, with our exits."""
    parts, work = Parts.load(options.cifar, options.seed), Path(options.branchynet or options.work)
    if options.short:
        graph = short_alexnet(parts, work, options.seed)
    else:
        *_, ours = alexnet(parts, work, options.seed, "none")
        graph = ours.graph
    model = replace(
        zoo.load_model("zoo:b_alexnet"), module=trunk_of(graph, "zoo:b_alexnet"),
        mean=tuple(CIFAR.mean.tolist()), std=tuple(CIFAR.std.tolist()),
    )  # fmt: skip
    return make("b_alexnet", graph, model, parts.train, parts.test, options.seed)


def short_alexnet(parts: Parts, work: Path, seed: int) -> Graph:
    """The same with fewer epochs: 5 alone, 2 with the late exit, 6 of the students."""
    base = replace(ALEXNET_BASE["none"], augment="none", seed=seed, epochs=5)
    later = replace(
        ALEXNET_EXITS, augment="none", seed=seed, epochs=2, weight_decay=base.weight_decay, distill=0.3,
        weights=(1.0, 1.0),
    )  # fmt: skip
    trained = train(alexnet_alone(seed), parts.train, base, work, "alexnet-short-base")
    return train_alexnet(
        trunk_of(trained, "zoo:b_alexnet"), parts.train, later, work, "alexnet-short", seed,
        replace(ALEXNET_TAUGHT, epochs=6),
    )  # fmt: skip


def bert_mini(options: argparse.Namespace) -> Subject:
    """The benchmark text's classifier of SST-2: 8 layers of width 128, 64 tokens."""
    asked = _text.parse_options(["--folder", options.text, "--seed", str(options.seed)])
    model = zoo.load_model(f"hf:{asked.folder / 'network'}")
    train, held = (_text.load(asked, part) for part in ("unlabelled", "held_out"))
    return make("bert_mini", _text.train(asked), model, train, held, options.seed)


# ---- a small vision transformer ----

VIT: dict[str, Any] = {  # Any: options of a timm network
    "img_size": 28, "patch_size": 7, "in_chans": 1, "num_classes": 10, "embed_dim": 192, "depth": 12, "num_heads": 3,
}  # fmt: skip
VIT_TAUGHT = learn.JointSettings(
    regime="joint", epochs=2, batch=128, learning_rate=5e-4, weight_decay=0.05, augment="none", precision=PRECISION
)
VIT_EXITS = learn.DistillSettings(epochs=2, learning_rate=5e-3, augment="none", precision=PRECISION)
VIT_PLACES = ("input", "blocks.1", "blocks.3", "blocks.6")
VIT_HEADS = ("student:width=8", "token", "token", "token")


def vit_tiny(options: argparse.Namespace) -> Subject:
    """A vision transformer with the widths of ViT-tiny on MNIST, 16 patches of 7x7."""
    from timm.models.vision_transformer import VisionTransformer

    work = Path(options.work)
    parts = Parts.load(options.mnist, options.seed)
    example = torch.rand(2, 1, 28, 28)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        module = VisionTransformer(**VIT).eval()
    alone = attach.exits(module, example, count=0)
    alone = learn.joint(
        alone, parts.train, replace(VIT_TAUGHT, seed=options.seed), checkpoint=work / "vit.ckpt", resume=True
    )
    trained = VisionTransformer(**VIT).eval()
    trained.load_state_dict(state_of(alone))
    graph = _frozen.fresh(
        lambda: attach.exits(trained, example, placement=list(VIT_PLACES), head=list(VIT_HEADS), scores=_frozen.SCORES),
        options.seed,
    )
    graph = learn.distill_heads(
        graph, parts.train, replace(VIT_EXITS, seed=options.seed), checkpoint=work / "vit-exits.ckpt", resume=True
    )
    model = LoadedModel(module=trained, reference="timm:vit_tiny", arguments=VIT, example=example, classes=10)
    return make("vit_tiny", graph, model, parts.train, parts.test, options.seed)


SUBJECTS: dict[str, Callable[[argparse.Namespace], Subject]] = {
    "resnet56": resnet56,
    "b_alexnet": b_alexnet,
    "b_lenet": b_lenet,
    "vit_tiny": vit_tiny,
    "bert_mini": bert_mini,
}
NEEDS = {
    "resnet56": ("cifar", "weights"), "b_alexnet": ("cifar",), "b_lenet": ("mnist",), "vit_tiny": ("mnist",),
    "bert_mini": ("text",),
}  # fmt: skip
