"""B-AlexNet on CIFAR-10, with and without augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import _frozen
import torch
from _branchynet_networks import SCORES, Parts, Trained, put_in_front, recipe, train, trunk_of
from _branchynet_table import choose_exits
from _cpu import PRECISION
from _frozen import fresh

from offramp import attach, learn, transform, zoo
from offramp.graph import Graph
from offramp.nn import Normalize
from offramp.run import Samples

Augment = Literal["none", "crop_flip"]
ALEXNET_BASE: dict[Augment, learn.JointSettings] = {
    # without any, the weights must be held small: 77.9 % became 80.5
    "none": recipe(epochs=20, learning_rate=2e-3, weight_decay=0.2),
    "crop_flip": recipe(epochs=16, learning_rate=1e-3),
}
ALEXNET_EXITS = recipe(epochs=10, learning_rate=1e-3)
ALEXNET_STUDENTS = ("student:width=8", "student:width=16")
ALEXNET_LATE = "light:width=48,blocks=2"  # at conv3
ALEXNET_TAUGHT = learn.DistillSettings(epochs=40, learning_rate=5e-3, mixup=0.75, precision=PRECISION)
CIFAR = Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))  # mean and spread of its training images


def alexnet(parts: Parts, work: Path, seed: int, augment: Augment) -> Iterator[Trained]:
    """Baseline, published branches, our exits; "none" as in the paper, or with augmentation."""
    name, suffix = ("alexnet", "") if augment == "none" else ("alexnet-augmented", ", augmented")
    base = replace(ALEXNET_BASE[augment], augment=augment, seed=seed)
    later = replace(ALEXNET_EXITS, augment=augment, seed=seed, weight_decay=base.weight_decay)
    trained = train(alexnet_alone(seed), parts.train, base, work, f"{name}-base")
    note = f"{base.epochs} epochs, Adam at {base.learning_rate:g}, augment={augment}"
    # as many passes as the networks with exits have
    longer = train(trained, parts.train, later, work, f"{name}-longer")
    yield Trained(name=f"AlexNet / CIFAR-10{suffix}", graph=longer, score="", note=f"{note}, then {later.epochs} more")
    trunk = trunk_of(trained, "zoo:b_alexnet")
    both = f"mixed: {note}, then {later.epochs} with exits"
    published = fresh(lambda: attach.b_alexnet(trunk=trunk, scores=SCORES, normalize=CIFAR), seed)
    published = train(published, parts.train, later, work, f"{name}-published")
    yield Trained(name=f"B-AlexNet, published branches{suffix}", graph=published, score="entropy", note=both)
    ours = train_alexnet(trunk, parts.train, replace(later, distill=0.3, weights=(1.0, 1.0)), work, name, seed)
    kept = choose_exits(ours, longer, parts.tune, work)
    exits = [f"{head} at the input" for head in ALEXNET_STUDENTS] + [f"{ALEXNET_LATE} at conv3"]
    note = f"{both}, distilled; students {ALEXNET_TAUGHT.epochs} epochs on mixtures, from this network's answers; kept "
    note += ", ".join(exits[at] for at in kept)
    yield Trained(name=f"B-AlexNet, our exits{suffix}", graph=transform.keep_exits(ours, kept), score="", note=note)


def alexnet_alone(seed: int) -> Graph:
    """The network without exits, untrained."""

    def make() -> Graph:
        plain = zoo.load_model("zoo:b_alexnet")
        return attach.exits(plain.module, plain.example, count=0, normalize=CIFAR)

    return fresh(make, seed)


def train_alexnet(  # noqa: PLR0913  # both trainings, and where they go
    trunk: torch.nn.Module,
    samples: Samples,
    settings: learn.JointSettings,
    work: Path,
    name: str,
    seed: int,
    taught: learn.DistillSettings = ALEXNET_TAUGHT,
) -> Graph:
    """An exit behind conv3 and the backbone together, then students at the input from the answers of both."""
    example = zoo.load_model("zoo:b_alexnet").example

    def attached(trunk: torch.nn.Module, places: Sequence[str], heads: Sequence[str]) -> Graph:
        return fresh(
            lambda: attach.exits(
                trunk, example, placement=list(places), head=list(heads), scores=_frozen.SCORES, normalize=CIFAR
            ),
            seed,
        )

    late = train(attached(trunk, ["conv3"], [ALEXNET_LATE]), samples, settings, work, f"{name}-late")
    trunk = trunk_of(late, "zoo:b_alexnet")
    inputs = ["input"] * len(ALEXNET_STUDENTS)
    students = learn.distill_heads(
        attached(trunk, inputs, ALEXNET_STUDENTS), samples, replace(taught, seed=seed),
        checkpoint=work / f"{name}-students.ckpt", resume=True,
    )  # fmt: skip
    return put_in_front(students, late, attached(trunk, [*inputs, "conv3"], [*ALEXNET_STUDENTS, ALEXNET_LATE]))
