"""The public ResNets, frozen: which exits each gets, how they learn without labels, and what they then say."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from _cpu import PRECISION
from torch import nn

from offramp import attach, learn, measure
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure import Evidence
from offramp.nn import Normalize
from offramp.pipeline import Engine
from offramp.pipeline.parts import gates_by_score
from offramp.run import Samples
from offramp.zoo import LoadedModel

ENGINE = Engine(name="openvino", threads=1)
SCORES = ("max_probability", "entropy", "margin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained on one network.

    Attributes:
        weights: File of the public weights.
        students: Heads at the input.
        late: Cut points of the light heads.
        published: Exits of PTEEnet, by the rule "fine".
        epochs: Of the students, and as many on mixtures.
    """

    weights: str
    students: tuple[str, ...]
    late: tuple[str, ...]
    published: int
    epochs: int = 15


PLANS = {
    "resnet20": Plan(
        weights="resnet20-12fca82f.th",
        students=("student:width=8", "student:width=16"),
        late=("layer2.1", "layer3.0", "layer3.1"),
        published=3,
    ),
    "resnet32": Plan(
        weights="resnet32-d509ac18.th",
        students=("student:width=16", "student:width=24"),
        late=("layer2.3", "layer3.1", "layer3.3"),
        published=5,
        epochs=8,
    ),
    "resnet56": Plan(
        weights="resnet56-4bfd9763.th",
        students=("student:width=16", "student:width=32", "student:width=32,blocks=2"),
        late=("layer3.0", "layer3.2", "layer3.4"),
        published=5,
        epochs=40,
    ),
}
STUDENTS = learn.DistillSettings(precision=PRECISION)
# and then on mixtures of the pictures: the network knows the pictures themselves by heart
MIXED = learn.DistillSettings(learning_rate=5e-3, mixup=0.75, precision=PRECISION)
LATE = learn.DistillSettings(epochs=10, mixup=0.75, precision=PRECISION)


def fresh(make: Callable[[], Graph], seed: int) -> Graph:
    """A graph whose random weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def normalize(loaded: LoadedModel) -> Normalize:
    """The network's own, as its weights need it."""
    assert loaded.mean is not None, "the zoo knows it"
    return Normalize(loaded.mean, loaded.std or ())


def as_module(loaded: LoadedModel) -> nn.Module:
    """The network as one module that takes what the file takes; a copy. That of pictures is named `network` in it."""
    network = copy.deepcopy(loaded.module).eval()
    if loaded.mean is None:
        return network
    return nn.Sequential(OrderedDict(normalize=normalize(loaded), network=network)).eval()


def add_exits(loaded: LoadedModel, places: Sequence[str], heads: Sequence[str], seed: int, **options: Any) -> Graph:
    """The network with untrained exits; `options` are those of attach.exits."""

    def make() -> Graph:
        return attach.exits(
            loaded.module, loaded.example, placement=list(places), head=list(heads),
            normalize=normalize(loaded), **{"scores": SCORES, **options},
        )  # fmt: skip

    return fresh(make, seed)


def train_students(name: str, loaded: LoadedModel, samples: Samples, work: Path, seed: int) -> Graph:
    """The network with the students of the plan at its input."""
    plan = PLANS[name]
    graph = add_exits(loaded, ["input"] * len(plan.students), plan.students, seed, scores=SCORES[:1])
    for which, settings in (("students", STUDENTS), ("students-mixed", MIXED)):
        settings = replace(settings, epochs=plan.epochs, seed=seed)
        graph = learn.distill_heads(graph, samples, settings, checkpoint=work / f"{name}-{which}.ckpt", resume=True)
    return graph


def train_ours(name: str, loaded: LoadedModel, samples: Samples, work: Path, seed: int) -> Graph:
    """All candidates: the students for many epochs, the heads behind the backbone's stages for few."""
    plan = PLANS[name]
    students = train_students(name, loaded, samples, work, seed)
    late = add_exits(loaded, plan.late, ["light"] * len(plan.late), seed, scores=SCORES[:1])
    late = learn.distill_heads(late, samples, LATE, checkpoint=work / f"{name}-late-mixed.ckpt", resume=True)
    trained = [graph.bodies[exit.head.name] for graph in (students, late) for exit in graph.exits[:-1]]
    places = [*["input"] * len(plan.students), *plan.late]
    whole = add_exits(loaded, places, [*plan.students, *["light"] * len(plan.late)], seed)
    return whole.with_bodies({exit.head.name: body for exit, body in zip(whole.exits[:-1], trained, strict=True)})


def observe(graph: Graph, samples: Samples, file: Path, reference: Any = None) -> Evidence:  # Any: answers or None
    """Evidence from the engine that ships."""
    dense = ENGINE.load_dense(onnx.save(graph, file, dense=True))
    return measure.evidence(dense, samples, gates=gates_by_score(graph), reference=reference)
