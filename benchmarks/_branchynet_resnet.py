"""The public ResNet-56 on CIFAR-10, all exits and the backbone trained together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import _frozen
import numpy as np
from _branchynet_networks import Trained, put_in_front, train
from _branchynet_table import clock, row
from _cpu import PRECISION
from _frozen import fresh, normalize, observe
from _protocol import compare, rounds
from numpy.typing import NDArray

from offramp import attach, data, learn, measure, transform, zoo
from offramp.graph import Graph
from offramp.measure import Evidence, OperatingPoint
from offramp.measure import torch as measure_torch
from offramp.run import Samples

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
RESNET_STUDENTS = _frozen.PLANS["resnet56"].students
RESNET_LATE = ("layer2.4", "layer2.8", "layer3.3")
RESNET_CANDIDATES = (*RESNET_STUDENTS, *RESNET_LATE)
Answers = tuple[NDArray[np.int64], NDArray[np.int64]]  # of the original network, and the true ones
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
    macs = measure_torch.path_costs(alone).baseline
    first = {"network": "ResNet-56 / CIFAR-10", "accuracy": full, "relative_macs": 1.0, "macs": macs}
    rows: list[dict[str, Any]] = [first | {"exits_alone": exits}]
    print(json.dumps(rows[0]), flush=True)
    passes = _frozen.PLANS["resnet56"].epochs
    note = (
        f"mixed from the public weights, {RESNET.epochs} + {REFINED.epochs} epochs; students {passes} + {passes} "
        "epochs, from the original network's answers"
    )
    priced = Priced(graph)
    played = [
        Round(priced, evidence.subset(turn.others), evidence.subset(turn.test), turn.test)
        for turn in rounds(len(evidence), seed)
    ]
    for budget in BUDGETS:
        rows.append(rotate(priced, played, budget, (evidence.reference, evidence.labels)) | {"training": note})
        print(json.dumps(rows[-1]), flush=True)
    rows += [time_resnet(priced, played[0], budget, test, work, seed) for budget in TIMED]
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
    students = _frozen.train_students("resnet56", loaded, samples, work, seed)
    behind = RESNET_EXITS[1:]
    whole = attach.exits(
        loaded.module, loaded.example, placement=[*["input"] * len(RESNET_STUDENTS), *behind],
        head=[*RESNET_STUDENTS, *["light"] * len(behind)], scores=RESNET_SCORES[:1], normalize=normalize(loaded),
    )  # fmt: skip
    places = [*range(len(RESNET_STUDENTS)), *(len(RESNET_STUDENTS) + behind.index(name) for name in RESNET_LATE)]
    return transform.keep_exits(put_in_front(students, late, whole), places)


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


def rotate(priced: Priced, played: Sequence[Round], budget: float, known: Answers) -> dict[str, Any]:  # Any: JSON
    """Every image judged once, in the round in whose choice it had no part."""
    answers, places, macs, chosen = [], [], [], []
    for one in played:
        kept, point = one.pick(budget)
        seen = one.test.keep(kept)
        taken = measure.exits_taken(seen, point.thresholds, RESNET_SCORES[0])
        answers.append(seen.predictions[np.arange(len(taken)), taken])
        places.append(one.places)
        macs.append(priced.plain.costs(kept).relative[taken])
        chosen.append([RESNET_CANDIDATES[at] for at in kept])
    order = np.argsort(np.concatenate(places))
    return {
        "network": f"B-ResNet-56, ours, budget {budget:g}", "relative_macs": float(np.concatenate(macs).mean()),
        "exits": chosen, **compare(np.concatenate(answers)[order], *known),
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
