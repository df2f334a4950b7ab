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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pteenet
import torch
from _cpu import PRECISION
from _results import open_results
from _stamp import stamp
from _tables import write_markdown
from matplotlib.figure import Figure
from pteenet import ENGINE, fresh, normalize, observe

from offramp import attach, data, decide, learn, measure, transform, zoo
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure import Evidence, OperatingPoint
from offramp.measure import torch as measure_torch
from offramp.nn import Normalize
from offramp.pipeline._clock import time_network
from offramp.pipeline._exports import Exports
from offramp.pipeline._price import price
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


# ---- B-LeNet ----

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
        lambda: attach.exits(trunk, example, placement=places, head=list(LENET_QUICK), scores=pteenet.SCORES),
        seed,
    )


# ---- B-AlexNet ----

ALEXNET_BASE = {  # by augmentation; without any, the weights must be held small: 77.9 % became 80.5
    "none": recipe(epochs=20, learning_rate=2e-3, weight_decay=0.2),
    "crop_flip": recipe(epochs=16, learning_rate=1e-3),
}
ALEXNET_EXITS = recipe(epochs=10, learning_rate=1e-3)
ALEXNET_STUDENTS = ("student:width=8", "student:width=16")
ALEXNET_LATE = "light:width=48,blocks=2"  # at conv3
ALEXNET_TAUGHT = learn.DistillSettings(epochs=40, learning_rate=5e-3, mixup=0.75, precision=PRECISION)
CIFAR = Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))  # mean and spread of its training images


def alexnet(parts: Parts, work: Path, seed: int, augment: str) -> Iterator[Trained]:
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
                trunk, example, placement=list(places), head=list(heads), scores=pteenet.SCORES, normalize=CIFAR
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


def choose_exits(graph: Graph, base: Graph, samples: Samples, work: Path, most: int | None = None) -> tuple[int, ...]:
    """The exits with which batches of 64 take least time at the baseline's accuracy, on held-out images.

    Exits that learn together make the final one better; what it is better by may be lost again, or 0.2 points.
    """
    parts = price(graph, samples, ENGINE, Exports(work), batch=64)
    seen = observe(graph, samples, work / "candidates.dense.onnx")
    before = right_alone(Trained(name="", graph=base, score="", note=""), samples, work).mean()
    better = float(np.mean(seen.predictions[:, -1] == seen.labels) - before)
    promise = decide.Target(max_loss=max(0.002, better), confidence=0.5, kind="net")
    return decide.placement(seen, parts, score="max_probability", promise=promise, most=most).kept


# ---- what a trained network is worth ----

PUBLISHED = {  # table I of the paper: accuracy %, CPU time in ms and gain, thresholds, exit rates %
    "LeNet / MNIST": (99.20, 3.37, 1.0, "-", "-"),
    "B-LeNet, published branch": (99.25, 0.62, 5.4, "0.025", "94.3 5.63"),
    "AlexNet / CIFAR-10": (78.38, 9.56, 1.0, "-", "-"),
    "B-AlexNet, published branches": (79.19, 6.32, 1.5, "0.0001 0.05", "65.6 25.2 9.2"),
}


def draw(one: Trained, tune: Evidence) -> list[tuple[str, Graph, list[OperatingPoint]]]:
    """Each score that may gate, the graph that it gates, and its points on the tuning images, the cheapest first.

    A network that names its score is BranchyNet as published, whose thresholds come from its grid.
    """
    drawn = []
    search = measure.screening if one.score else measure.frontier
    for score in [one.score] if one.score else list(tune.scores):
        graph = transform.gate_by(one.graph, score)
        points = search(tune, measure_torch.path_costs(graph), score=score, quality="accuracy").points
        drawn.append((score, graph, sorted(points, key=lambda point: point.macs)))
    return drawn


def choose(drawn: Any, tune: Evidence, wanted: Any) -> tuple[str, Graph, OperatingPoint]:  # Any: of draw; [S] array
    """Score, graph that it gates, and the cheapest point that is as accurate as wanted on the tuning images.

    As accurate as wanted is who is better by at least one standard error: the cheapest of many points looks better
    than it is.

    Args:
        drawn: By `draw`, on the same evidence.
        tune: Evidence of the tuning images.
        wanted: [S] for each image 1 if the baseline is right, less what may be lost.
    """
    found = []
    for score, graph, points in drawn:
        fine = [point for point in points if is_as_accurate(tune, point, score, wanted)]
        best = fine[0] if fine else max(points, key=lambda point: point.accuracy or 0.0)
        found.append((not fine, best.macs, score, graph, best))
    _, _, score, graph, best = min(found, key=lambda one: one[:2])
    return score, graph, best


def is_as_accurate(tune: Evidence, point: OperatingPoint, score: str, wanted: Any) -> bool:  # Any: as in `choose`
    """True if a point is better by a standard error of the difference."""
    taken = measure.exits_taken(tune, point.thresholds, score)
    difference = (tune.predictions[np.arange(len(taken)), taken] == tune.labels) - wanted
    return bool(difference.mean() >= difference.std(ddof=1) / np.sqrt(len(difference)))


def judge(
    one: Trained, parts: Parts, goals: dict[str, Any], base: Any, work: Path, seed: int
) -> Iterator[dict[str, Any]]:  # Any: JSON
    """A row for each goal of a network with exits; `base` says of each test image whether the baseline is right."""
    stem = one.name.replace("/", "").replace(", ", "-").replace(" ", "-")
    tune = observe(one.graph, parts.tune, work / f"{stem}.dense.onnx")
    test = observe(one.graph, parts.test, work / f"{stem}.dense.onnx")
    assert test.labels is not None, "these sets have labels"
    alone = [float(np.mean(test.predictions[:, at] == test.labels)) for at in range(test.predictions.shape[1])]
    drawn = draw(one, tune)
    for goal, wanted in goals.items():
        score, graph, chosen = choose(drawn, tune, wanted)
        costs = measure_torch.path_costs(graph)
        point = measure.operate(test, costs, chosen.thresholds, score=score)
        taken = measure.exits_taken(test, chosen.thresholds, score)
        right = (test.predictions[np.arange(len(taken)), taken] == test.labels).astype(float)
        times = clock(graph, score, test, parts.test, chosen.thresholds, work, stem, seed)
        curve = measure.frontier(test, costs, score=score, quality="accuracy")
        yield row(
            one, point, times, goal=goal, score=score, exits_alone=alone, macs_gain=1 / point.relative_macs,
            curve=[[at.relative_macs, at.accuracy] for at in curve.points], **paired(right - base),
        )  # fmt: skip


def paired(difference: Any) -> dict[str, Any]:  # Any: [S] array; JSON
    """Mean difference to the baseline, image by image, and its 95 % interval."""
    mean, half = float(difference.mean()), float(1.96 * difference.std(ddof=1) / np.sqrt(len(difference)))
    return {"difference": mean, "interval": [mean - half, mean + half]}


def clock(  # noqa: PLR0913  # all of one row
    graph: Graph, score: str, evidence: Evidence, samples: Samples, thresholds: Any, work: Path, stem: str, seed: int
) -> dict[int, Any]:
    """Baseline and ours at batch 1 and 64, interleaved; heads, scores and gates inside."""
    exports = Exports(work)
    model = exports.save(graph, work / f"{stem}.onnx", {"thresholds": [float(value) for value in thresholds]})
    return time_network(
        graph, model, test=samples, evidence=evidence, thresholds=thresholds, score=score, engine=ENGINE,
        exports=exports, seed=seed,
    )  # fmt: skip


def row(one: Trained, point: OperatingPoint, times: dict[int, Any], **more: Any) -> dict[str, Any]:  # Any: JSON
    """A row in the paper's columns, with what the paper leaves out."""
    known = {
        "network": one.name, "accuracy": point.accuracy, "macs": point.macs, "relative_macs": point.relative_macs,
        "thresholds": list(point.thresholds), "exit_rates": list(point.exit_rates),
        "published": PUBLISHED.get(one.name), "training": one.note, **more,
    }  # fmt: skip
    for batch, timing in times.items():
        known |= {
            f"time_ms_b{batch}": 1e3 * timing.ours.mean_s,
            f"baseline_ms_b{batch}": 1e3 * timing.baseline.mean_s,
            f"empty_ms_b{batch}": 1e3 * timing.empty_s,
            f"gain_b{batch}": timing.gain,
            f"efficiency_b{batch}": timing.efficiency,
        }
    print(json.dumps({name: value for name, value in known.items() if name != "curve"}), flush=True)
    return known


def table(networks: Iterator[Trained], parts: Parts, work: Path, seed: int) -> list[dict[str, Any]]:  # Any: JSON
    """Baseline, published, ours: as accurate as the first of `networks`, and nearly so."""
    base = next(networks)
    tune, test = (right_alone(base, samples, work) for samples in (parts.tune, parts.test))
    macs = measure_torch.path_costs(base.graph).baseline_macs
    goals = {"no loss": tune, "at most 0.1 points": tune - 0.001, "at most 0.2 points": tune - 0.002}
    rows = [one for network in networks for one in judge(network, parts, goals, test, work, seed)]
    first = {
        "network": base.name, "accuracy": float(test.mean()), "macs": macs, "relative_macs": 1.0, "macs_gain": 1.0,
        "published": PUBLISHED.get(base.name), "gain_b1": 1.0, "gain_b64": 1.0, "exit_rates": [1.0], "thresholds": [],
        "time_ms_b1": rows[-1]["baseline_ms_b1"], "time_ms_b64": rows[-1]["baseline_ms_b64"], "training": base.note,
    }  # fmt: skip
    print(json.dumps(first), flush=True)
    return [first, *rows]


def right_alone(one: Trained, samples: Samples, work: Path) -> Any:  # Any: [S] array
    """For each sample 1 if a network without exits is right, else 0."""
    dense = ENGINE.load_dense(onnx.save(one.graph, work / "alone.dense.onnx", dense=True))
    found = measure.evidence(dense, samples, gates={})
    return (found.predictions[:, -1] == found.labels).astype(float)


# ---- studies on B-LeNet ----

STUDY = recipe(epochs=4, learning_rate=2e-3, weights=(1.0, 0.3))
DEPTHS = (0, 1, 2, 3, 4)


def study_depth(parts: Parts, work: Path, seed: int) -> list[dict[str, Any]]:  # Any: JSON
    """What the number of convolutions in B-LeNet's branch does (the paper's figure 5), from the table's baseline."""
    base = next(lenet(parts, work, seed))
    trunk = trunk_of(base.graph, "zoo:b_lenet")
    found = []
    for depth in DEPTHS:
        graph = fresh(lambda depth=depth: attach.b_lenet(depths=[depth], trunk=trunk), seed)
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


# ---- the public ResNet-56 ----

WEIGHTS = "resnet56-4bfd9763.th"
RESNET_SCORES = ("max_probability", "entropy", "margin", "calibrated", "confidence", "energy", "patience")
RESNET_EXITS = ("input", "layer1.5", "layer2.0", "layer2.4", "layer2.8", "layer3.3")
RESNET = learn.JointSettings(
    regime="mixed", epochs=7, optimizer="sgd", learning_rate=0.05, backbone_rate=0.3, weight_decay=5e-4,
    weights=(1.0,) * 7, distill=0.5, temperature=2.0, precision=PRECISION,
)  # fmt: skip
# the early exits have what they need; the final one comes back to where it was
REFINED = replace(RESNET, epochs=3, learning_rate=0.02, backbone_rate=0.5, weights=(0.3, 0.3, 0.3, 0.3, 0.3, 1.0))
# what the table chooses among; students need more epochs than a trained backbone, and nothing of it: they learn alone
RESNET_STUDENTS = pteenet.PLANS["resnet56"].students
RESNET_LATE = ("layer2.4", "layer2.8", "layer3.3")
RESNET_CANDIDATES = (*RESNET_STUDENTS, *RESNET_LATE)
BUDGETS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)  # relative MACs, borders charged
TIMED = (0.35, 0.4, 0.45)
BORDER = 0.02  # what an exit costs on the clock besides its MACs, as a share of the network: gather, scatter, condition
SUBSETS = [
    [at for at in range(len(RESNET_CANDIDATES)) if code >> at & 1] for code in range(1, 1 << len(RESNET_CANDIDATES))
]


def resnet(reference: str, weights: Path, work: Path, seed: int) -> list[dict[str, Any]]:  # Any: JSON
    """ResNet-56 from its public weights, all exits and the backbone trained together."""
    loaded = zoo.load_model("zoo:resnet56", weights=weights / WEIGHTS)
    alone = attach.exits(loaded.module, loaded.example, count=0, normalize=normalize(loaded))
    test = data.load(f"{reference}@test")
    original = observe(alone, test, work / "original.onnx").predictions[:, -1]
    graph = train_resnet(loaded, data.load(f"{reference}@train"), work, seed)
    evidence = observe(graph, test, work / "resnet56.dense.onnx", original)
    assert evidence.labels is not None, "CIFAR-10 has labels"
    exits = [float(np.mean(evidence.predictions[:, at] == evidence.labels)) for at in range(len(RESNET_CANDIDATES) + 1)]
    full = float(np.mean(original == evidence.labels))
    macs = measure_torch.path_costs(alone).baseline_macs
    first = {"network": "ResNet-56 / CIFAR-10", "accuracy": full, "relative_macs": 1.0, "macs": macs}
    rows: list[dict[str, Any]] = [first | {"exits_alone": exits}]
    print(json.dumps(rows[0]), flush=True)
    passes = pteenet.PLANS["resnet56"].epochs
    note = (
        f"mixed from the public weights, {RESNET.epochs} + {REFINED.epochs} epochs; students {passes} + {passes} "
        "epochs, from the original network's answers"
    )
    priced = Priced(graph)
    rounds = [Round(priced, *parts) for parts in thirds(evidence, seed)]
    for budget in BUDGETS:
        rows.append(rotate(priced, rounds, budget) | {"training": note})
        print(json.dumps(rows[-1]), flush=True)
    rows += [time_resnet(priced, rounds[0], budget, test, work, seed) for budget in TIMED]
    return rows


def train_resnet(loaded: zoo.LoadedModel, samples: Samples, work: Path, seed: int) -> Graph:
    """All exits and the backbone together, then those behind the input once more; students in front of three."""

    def attached() -> Graph:
        heads = ["student" if name == "input" else "light" for name in RESNET_EXITS]
        return attach.exits(
            loaded.module, loaded.example, placement=list(RESNET_EXITS), head=heads, scores=RESNET_SCORES,
            normalize=normalize(loaded),
        )  # fmt: skip

    graph = train(fresh(attached, seed), samples, replace(RESNET, seed=seed), work, "resnet56")
    late = transform.keep_exits(graph, range(1, len(RESNET_EXITS)))
    late = train(late, samples, replace(REFINED, seed=seed), work, "resnet56-refined")
    students = pteenet.train_students("resnet56", loaded, samples, work, seed)
    behind = RESNET_EXITS[1:]
    whole = attach.exits(
        loaded.module, loaded.example, placement=[*["input"] * len(RESNET_STUDENTS), *behind],
        head=[*RESNET_STUDENTS, *["light"] * len(behind)], scores=RESNET_SCORES[:1], normalize=normalize(loaded),
    )  # fmt: skip
    places = [*range(len(RESNET_STUDENTS)), *(len(RESNET_STUDENTS) + behind.index(name) for name in RESNET_LATE)]
    return transform.keep_exits(put_in_front(students, late, whole), places)


def put_in_front(students: Graph, late: Graph, whole: Graph) -> Graph:
    """The untrained `whole`, whose exits are the students and those of `late`, with their weights and late's stages."""
    answers = [(students, name) for name in students.exits[:-1]] + [(late, name) for name in late.exits[:-1]]
    bodies = {name: graph.bodies[old] for name, (graph, old) in zip(whole.exits[:-1], answers, strict=True)}
    stages = [[node.name for node in graph.nodes if node.role == "stage"] for graph in (whole, late)]
    return whole.with_bodies(bodies | {new: late.bodies[old] for new, old in zip(*stages, strict=True)})


class Priced:
    """The exits of one network, and what each choice of them costs; everything is counted once.

    Args:
        graph: With all exits.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        macs = measure_torch.count_macs(graph)
        self.plain = measure_torch.breakdown(graph, macs)
        self.charged = measure_torch.breakdown(
            graph, macs, gate_overhead=BORDER
        )  # what borders cost on the clock, as MACs


class Round:
    """Two thirds of the test images to choose from, the other one to judge by.

    Args:
        priced: The network.
        tune: Evidence to choose from.
        test: Evidence to judge by.
        places: Of the latter among all images.
    """

    def __init__(self, priced: Priced, tune: Evidence, test: Evidence, places: Any) -> None:
        self.test, self.places = test, places
        self.curves = [(kept, self._draw(priced, tune, kept)) for kept in SUBSETS]

    @staticmethod
    def _draw(priced: Priced, tune: Evidence, kept: list[int]) -> measure.Frontier:
        """The frontier of some exits, borders charged."""
        costs = priced.charged.costs(kept)
        return measure.frontier(tune.keep(kept), costs, score=RESNET_SCORES[0], quality="accuracy")

    def pick(self, budget: float) -> tuple[list[int], OperatingPoint]:
        """Exits and thresholds that are most accurate within the budget."""
        fine = [(point, kept) for kept, drawn in self.curves for point in drawn.points if point.relative_macs <= budget]
        point, kept = max(fine, key=lambda one: one[0].accuracy or 0.0)
        return kept, point


def thirds(evidence: Evidence, seed: int) -> Iterator[tuple[Evidence, Evidence, Any]]:
    """Three rounds: two thirds to choose from, the other to judge by, and the places of the latter."""
    parts = np.array_split(np.random.default_rng(seed).permutation(len(evidence.ids)), 3)
    for at, part in enumerate(parts):
        others = np.concatenate([other for which, other in enumerate(parts) if which != at])
        yield evidence.subset(others), evidence.subset(part), part


def rotate(priced: Priced, rounds: Sequence[Round], budget: float) -> dict[str, Any]:  # Any: JSON
    """Every image judged once, in the round in whose choice it had no part."""
    difference, macs, agree, right, chosen = [], [], [], [], []
    for one in rounds:
        kept, point = one.pick(budget)
        seen = one.test.keep(kept)
        taken = measure.exits_taken(seen, point.thresholds, RESNET_SCORES[0])
        answers = seen.predictions[np.arange(len(taken)), taken]
        right.append((answers == seen.labels).astype(float))
        difference.append(right[-1] - (seen.reference == seen.labels))
        agree.append(answers == seen.reference)
        macs.append(priced.plain.costs(kept).relative[taken])
        chosen.append([RESNET_CANDIDATES[at] for at in kept])
    return {
        "network": f"B-ResNet-56, ours, budget {budget:g}", "accuracy": float(np.concatenate(right).mean()),
        "agreement": float(np.concatenate(agree).mean()), "relative_macs": float(np.concatenate(macs).mean()),
        "exits": chosen, **paired(np.concatenate(difference)),
    }  # fmt: skip


def time_resnet(
    priced: Priced, one: Round, budget: float, samples: Samples, work: Path, seed: int
) -> dict[str, Any]:  # Any: JSON
    """One round on the clock: exits and thresholds of two thirds, times on the other."""
    kept, chosen = one.pick(budget)
    fewer = transform.keep_exits(priced.graph, kept)
    seen, costs = one.test.keep(kept), measure_torch.path_costs(fewer)
    point = measure.operate(seen, costs, chosen.thresholds, score=RESNET_SCORES[0])
    name = f"B-ResNet-56, ours, budget {budget:g}, one round"
    trained = Trained(name=name, graph=fewer, score=RESNET_SCORES[0], note="")
    part = samples.subset(one.places)
    times = clock(fewer, trained.score, seen, part, chosen.thresholds, work, f"resnet56-{budget:g}", seed)
    return row(trained, point, times, score=trained.score, exits=[RESNET_CANDIDATES[at] for at in kept])


# ---- pictures and the page ----

CURVES = ("b_lenet", "b_alexnet", "alexnet_augmented", "b_alexnet_augmented", "resnet56")


def draw_curves(rows: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Accuracy over relative MACs, one panel per network: the table's points, and the test images' own frontier."""
    figure = Figure(figsize=(5.0 * len(rows), 4.2), layout="constrained")
    for axes, (name, found) in zip(np.atleast_1d(figure.subplots(1, len(rows))), rows.items(), strict=True):
        rotated = [one for one in found if "agreement" in one]
        if rotated:
            macs = [one["relative_macs"] for one in rotated]
            axes.plot(macs, [100 * one["accuracy"] for one in rotated], "o-", label="B-ResNet-56, ours, rotated")
        for one in (one for one in found if one.get("goal", "no loss") == "no loss" and "agreement" not in one):
            (line,) = axes.plot([one["relative_macs"]], [100 * one["accuracy"]], "o", label=one["network"])
            if "curve" in one:
                macs, accuracy = zip(*one["curve"], strict=True)
                axes.plot(macs, 100 * np.array(accuracy), color=line.get_color(), linewidth=1)
        axes.axhline(100 * found[0]["accuracy"], color="gray", linewidth=0.8, linestyle=":")
        axes.set(title=name, xlabel="relative MACs, heads and gates charged", ylabel="accuracy on test images, %")
        accuracies = [100 * one["accuracy"] for one in found]
        axes.set_ylim(min(accuracies) - 1.5, min(100.0, max(accuracies) + 1))
        axes.legend(loc="lower right", fontsize=7)
    figure.savefig(path, dpi=130)


COLUMNS = ("network", "goal", "Acc. %", "to the baseline", "MACs gain", "Time ms, 1", "Gain, 1", "Time ms, 64",
           "Gain, 64", "Threshold T", "Exit %", "published: Acc. %, ms, gain, T, exit %")  # fmt: skip


def write_table(known: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The paper's columns, time per batch of 1 and of 64, as Markdown."""
    write_markdown(COLUMNS, [_cells(one) for name in CURVES for one in known.get(name, [])], path)


def _difference(one: dict[str, Any]) -> str:
    if "difference" not in one:
        return ""
    low, high = one["interval"]
    return f"{100 * one['difference']:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def _cells(one: dict[str, Any]) -> Sequence[str]:
    def show(name: str, form: str, factor: float = 1.0) -> str:
        return format(factor * one[name], form) if name in one else ""

    published = "" if not one.get("published") else ", ".join(str(value) for value in one["published"])
    return (
        one["network"], one.get("goal", ""), show("accuracy", ".2f", 100), _difference(one),
        f"{1 / one['relative_macs']:.2f}x", show("time_ms_b1", ".3f"), show("gain_b1", ".2f"),
        show("time_ms_b64", ".2f"), show("gain_b64", ".2f"),
        " ".join(f"{value:.3g}" for value in one.get("thresholds", [])),
        " ".join(f"{100 * rate:.1f}" for rate in one.get("exit_rates", [])), published,
    )  # fmt: skip


def draw_study(found: list[dict[str, Any]], by: str, path: Path) -> None:
    """Accuracy of the branch and of the final exit."""
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    names = [str(one[by]) for one in found]
    for key, label in {"exit_accuracy": "exit 0 alone", "final_accuracy": "final exit alone",
                       "accuracy": "together, at most 0.2 points lost on held-out images"}.items():  # fmt: skip
        if key in found[0]:
            axes.plot(names, [100 * one[key] for one in found], "o-", label=label)
    label = "3x3 convolutions in the branch" if by == "depth" else "training regime, 8 passes in all"
    axes.set(title="B-LeNet on MNIST", xlabel=label, ylabel="accuracy on test images, %")
    if by == "depth":
        other = axes.twinx()
        other.plot(names, [one["relative_macs"] for one in found], "s:", color="gray", label="relative MACs (right)")
        other.set(ylabel="relative MACs", ylim=(0, 1))
    figure.legend(loc="outside lower center", fontsize=8)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Parse options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--cifar", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--work", required=True, help="folder for checkpoints and files")
    parser.add_argument("--networks", nargs="+", default=[name for name in TABLES if name != "b_alexnet_augmented"],
                        choices=list(TABLES), help="default: all but b_alexnet_augmented")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="default: benchmarks/results/branchynet.json")
    options = parser.parse_args()
    out, known = open_results(options, "branchynet", "rows")
    for name in options.networks:
        found = TABLES[name](options, Path(options.work))
        where = stamp(options.seed)
        page = {"machine": where.pop("machine"), "versions": where.pop("versions"), "rows": known}
        known[name] = [one | where for one in found]
        out.write_text(json.dumps(page, indent=1) + "\n")
    if curves := {name: known[name] for name in CURVES if len(known.get(name, [])) > 1}:
        draw_curves(curves, out.with_suffix(".png"))
    write_table(known, out.with_suffix(".md"))
    for name, by in {"depths": "depth", "regimes": "regime"}.items():
        if name in known:
            draw_study(known[name], by, out.with_name(f"{out.stem}-{name}.png"))


def _lenet(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    parts = Parts.load(options.mnist, options.seed)
    return table(lenet(parts, work, options.seed), parts, work, options.seed)


def _alexnet(options: argparse.Namespace, work: Path, augment: str) -> list[dict[str, Any]]:
    parts = Parts.load(options.cifar, options.seed)
    return table(alexnet(parts, work, options.seed, augment), parts, work, options.seed)


def _augmented(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """What augmentation does to the baseline."""
    parts = Parts.load(options.cifar, options.seed)
    base = next(alexnet(parts, work, options.seed, "crop_flip"))
    accuracy = float(right_alone(base, parts.test, work).mean())
    return [{"network": base.name, "accuracy": accuracy, "relative_macs": 1.0, "training": base.note}]


TABLES: dict[str, Callable[[argparse.Namespace, Path], list[dict[str, Any]]]] = {
    "b_lenet": _lenet,
    "b_alexnet": lambda options, work: _alexnet(options, work, "none"),
    "b_alexnet_augmented": lambda options, work: _alexnet(options, work, "crop_flip"),
    "alexnet_augmented": _augmented,
    "resnet56": lambda options, work: resnet(options.cifar, Path(options.weights), work, options.seed),
    "depths": lambda options, work: study_depth(Parts.load(options.mnist, options.seed), work, options.seed),
    "regimes": lambda options, work: study_regimes(Parts.load(options.mnist, options.seed), work, options.seed),
}


if __name__ == "__main__":
    main()
