"""Exits on frozen networks, without labels: PTEEnet as published, ours, and the earlyon package, on the same weights.

Run: python benchmarks/pteenet.py --data npz:cifar10.npz --weights FOLDER --work FOLDER [--networks resnet56 ...]
(writes benchmarks/results/pteenet.json and pictures beside it; --work keeps checkpoints, and what is there is not
trained again). Rows of earlyon need that package, see benchmarks/_earlyon.py, and --parts earlyon --networks resnet56.

Published: Lahiany and Aperstein, "PTEEnet", IEEE Access 10, 2022: ResEEnet-110/10 on CIFAR-10, 97.15 % agreement at
0.731 of the cost, 95.14 at 0.672, 93.62 at 0.572; its costs leave out the heads before the one that answers. The public
weights are of smaller networks, so its method is trained here on those.

The networks are frozen and no label is read in training. All choices (exits, score, lambda, thresholds) are made on
the other two thirds of the 9,980 test images, three times, so that each image is judged once, in a round in whose
choices it had no part. Everything that ran is charged.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _cpu import PRECISION
from _results import open_results
from _stamp import stamp
from _tables import write_markdown
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from offramp import attach, capture, data, decide, learn, measure, transform, zoo
from offramp.decide import Decision, Target
from offramp.export import onnx
from offramp.graph import Graph
from offramp.measure import Breakdown, Evidence
from offramp.measure import torch as measure_torch
from offramp.nn import Normalize
from offramp.pipeline._chain import gates_by_score
from offramp.pipeline._clock import time_network
from offramp.pipeline._engine import Engine
from offramp.pipeline._exports import Exports
from offramp.run import Samples
from offramp.zoo import LoadedModel

ENGINE = Engine(name="openvino", threads=1)
SCORES = ("max_probability", "entropy", "margin")
PUBLISHED = ((0.731, 97.15), (0.672, 95.14), (0.572, 93.62))  # of ResEEnet-110/10: cost without heads before, agreement
BORDER = 0.03  # what an exit costs on the clock besides its MACs, as a share of the network: batch 1 0.045, 64 0.01
GOALS = {
    "99 % promised at 95 %": Target(max_loss=0.01, confidence=0.95, kind="agreement"),
    "99 % to expect": Target(max_loss=0.01, confidence=0.5, kind="agreement"),
    "98 % to expect": Target(max_loss=0.02, confidence=0.5, kind="agreement"),
    "97 % to expect": Target(max_loss=0.03, confidence=0.5, kind="agreement"),
}


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
PRICES = (0.3, 0.7, 0.9, 1.3)  # lambda; the first is trained longer, the others from the one before
FIRST = learn.CumulativeSettings(
    epochs=6, warm_epochs=4, price=PRICES[0], charge="own", precision=PRECISION, learning_rate=1e-3
)
NEXT = 2  # epochs per further lambda


# ---- training ----


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
    trained = [graph.bodies[head] for graph in (students, late) for head in graph.exits[:-1]]
    places = [*["input"] * len(plan.students), *plan.late]
    whole = add_exits(loaded, places, [*plan.students, *["light"] * len(plan.late)], seed)
    return whole.with_bodies({f"exit{at}/head": body for at, body in enumerate(trained)})


def train_published(
    name: str, loaded: LoadedModel, samples: Samples, work: Path, seed: int
) -> Iterator[tuple[float, Graph]]:
    """PTEEnet's networks, one per lambda, each from the one before."""
    plan = PLANS[name]
    captured = capture.capture(loaded.module, loaded.example)
    places = [cut.name for cut in attach.choose_cuts(captured, "fine", count=plan.published)]
    heads = ["conv2:confidence=1"] * len(places)
    graph = add_exits(loaded, places, heads, seed, scores=("head_confidence", "max_probability"))
    for price in PRICES:
        anew = {} if price == PRICES[0] else {"epochs": NEXT, "warm_epochs": 0}
        settings = replace(FIRST, price=price, seed=seed, **anew)
        file = work / f"{name}-published-{price:g}.ckpt"
        graph = learn.cumulative(graph, samples, settings, checkpoint=file, resume=True)
        yield price, graph


# ---- what they are worth ----


def observe(graph: Graph, samples: Samples, file: Path, reference: Any = None) -> Evidence:  # Any: answers or None
    """Evidence from the engine that ships."""
    dense = ENGINE.load_dense(onnx.save(graph, file, dense=True))
    return measure.evidence(dense, samples, gates=gates_by_score(graph), reference=reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of several that a round chooses from.

    Attributes:
        label: Such as the lambda.
        evidence: Of all test images.
        parts: What its parts cost.
        score: That gates.
        shared: One threshold for all exits.
        place: Whether the round chooses among the exits.
    """

    label: str
    evidence: Evidence
    parts: Breakdown
    score: str
    shared: bool = False
    place: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round chose, and what it did to the images that it had not seen.

    Attributes:
        variant: The chosen one.
        kept: Its exits.
        decision: Its point.
        positions: [S] of the test images among all.
        taken: [S] the exit that each leaves at.
        answers: [S] what it answers.
        cost: [S] relative MACs of each.
    """

    variant: Variant
    kept: tuple[int, ...]
    decision: Decision
    positions: NDArray[np.int64]
    taken: NDArray[np.int64]
    answers: NDArray[np.int64]
    cost: NDArray[np.float64]


def play(variants: Sequence[Variant], promise: Target, seed: int) -> list[Round]:
    """Three rounds; in each the variant, its exits and its thresholds that cost least on tune and calibrate."""
    order = np.random.default_rng(seed).permutation(len(variants[0].evidence))
    parts = np.array_split(order, 3)
    rounds = []
    for turn in range(3):
        positions = [parts[(turn + role) % 3] for role in range(3)]
        tried = [_decide(variant, promise, positions) for variant in variants]
        rounds.append(min(tried, key=lambda one: one[0])[1])
    return rounds


def _decide(variant: Variant, promise: Target, positions: Sequence[NDArray[np.int64]]) -> tuple[float, Round]:
    """Expected cost on the tuning images of what is certified, and the round."""
    tune, calibrate, test = (variant.evidence.subset(part) for part in positions)
    kept = tuple(range(variant.evidence.exits - 1))
    if variant.place:
        kept = decide.placement(
            tune, variant.parts, score=variant.score, promise=promise, calibration=len(calibrate)
        ).kept
    costs = replace(variant.parts, borders=np.zeros(variant.evidence.exits - 1)).costs(kept)
    tune, calibrate, test = (part.keep(kept) for part in (tune, calibrate, test))
    drawn = measure.frontier(tune, costs, score=variant.score, shared=variant.shared)
    decision = decide.thresholds(
        drawn, calibrate, max_loss=promise.max_loss, confidence=promise.confidence, kind=promise.kind
    )
    taken = measure.exits_taken(test, decision.thresholds, variant.score)
    expected = measure.operate(tune, costs, decision.thresholds, score=variant.score).macs
    found = Round(
        variant=variant, kept=kept, decision=decision, positions=positions[2], taken=taken,
        answers=test.predictions[np.arange(len(taken)), taken], cost=costs.relative[taken],
    )  # fmt: skip
    return expected, found


def judge(rounds: Sequence[Round]) -> dict[str, Any]:  # Any: JSON
    """Means over all images, each in the round in whose choices it had no part."""
    seen = [one.variant.evidence.subset(one.positions) for one in rounds]
    agrees = np.concatenate([one.answers == part.reference for one, part in zip(rounds, seen, strict=True)])
    right = np.concatenate([one.answers == part.labels for one, part in zip(rounds, seen, strict=True)])
    before = np.concatenate([part.reference == part.labels for part in seen])
    paired = right.astype(float) - before
    half = 1.96 * paired.std(ddof=1) / len(paired) ** 0.5
    promises = [one.decision.guarantee for one in rounds]
    return {
        "agreement": float(agrees.mean()),
        "accuracy": float(right.mean()),
        "difference": float(paired.mean()),
        "interval": [float(paired.mean() - half), float(paired.mean() + half)],
        "relative_macs": float(np.concatenate([one.cost for one in rounds]).mean()),
        "certified_rounds": sum(bool(promise and promise.status == "certified") for promise in promises),
        "chosen": [one.variant.label for one in rounds],
        "kept": [list(one.kept) for one in rounds],
    }


def row(network: str, method: str, goal: str, rounds: Sequence[Round], **more: Any) -> dict[str, Any]:  # Any: JSON
    """A row of the table."""
    found = {"network": network, "method": method, "goal": goal, **judge(rounds), **more}
    print(json.dumps(found), flush=True)
    return found


def curve(variants: Sequence[Variant]) -> list[list[float]]:
    """Relative MACs, agreement and accuracy of the best points on all test images, for the picture alone."""
    points = []
    for one in variants:
        costs = replace(one.parts, borders=np.zeros(one.evidence.exits - 1)).costs(range(one.evidence.exits - 1))
        points += measure.frontier(one.evidence, costs, score=one.score, shared=one.shared).points
    best: list[list[float]] = []
    for point in sorted(points, key=lambda point: (point.macs, -point.agreement)):
        if not best or point.agreement > best[-1][1]:
            best.append([point.relative_macs, point.agreement, point.accuracy or 0.0])
    return best


def clock(graph: Graph, one: Round, samples: Samples, work: Path, name: str, seed: int) -> dict[str, Any]:  # Any: JSON
    """One round's choice on the clock, over the images that it has not seen."""
    fewer = transform.gate_by(transform.keep_exits(graph, one.kept), one.variant.score)
    thresholds = one.decision.thresholds
    exports = Exports(work)
    model = exports.save(fewer, work / f"{name}.onnx", {"thresholds": [float(value) for value in thresholds]})
    seen = one.variant.evidence.subset(one.positions).keep(one.kept)
    times = time_network(
        fewer, model, test=samples.subset(one.positions), evidence=seen, thresholds=thresholds,
        score=one.variant.score, engine=ENGINE, exports=exports, seed=seed,
    )  # fmt: skip
    known: dict[str, Any] = {}
    for batch, timing in times.items():
        known |= {
            f"time_ms_b{batch}": 1e3 * timing.ours.mean_s, f"baseline_ms_b{batch}": 1e3 * timing.baseline.mean_s,
            f"empty_ms_b{batch}": 1e3 * timing.empty_s, f"gain_b{batch}": timing.gain,
            f"efficiency_b{batch}": timing.efficiency,
        }  # fmt: skip
    return known | {
        "round_macs": float(one.cost.mean()), "thresholds": [float(value) for value in thresholds],
        "exit_rates": (np.bincount(one.taken, minlength=len(one.kept) + 1) / len(one.taken)).tolist(),
    }  # fmt: skip


def rows_ours(
    name: str, loaded: LoadedModel, train: Samples, test: Samples, work: Path, seed: int
) -> list[dict[str, Any]]:  # Any: JSON
    """Students at the input and light heads behind; each round chooses exits and score."""
    graph = train_ours(name, loaded, train, work, seed)
    evidence = observe(graph, test, work / f"{name}-ours.dense.onnx")
    full = float(np.mean(evidence.reference == evidence.labels))
    parts = measure_torch.breakdown(graph, gate_overhead=BORDER)
    alone = [float(np.mean(evidence.predictions[:, at] == evidence.reference)) for at in range(evidence.exits)]
    print(name, full, alone, parts, flush=True)
    rows: list[dict[str, Any]] = [
        {"network": name, "method": "full network", "accuracy": full, "agreement": 1.0, "relative_macs": 1.0,
         "macs": parts.baseline}
    ]  # fmt: skip
    variants = [Variant(label=score, evidence=evidence, parts=parts, score=score, place=True) for score in SCORES]
    rows[0]["audits"] = audits(variants[0])
    for goal, promise in GOALS.items():
        rounds = play(variants, promise, seed)
        times = clock(graph, rounds[0], test, work, f"{name}-ours", seed)
        rows.append(row(name, "ours", goal, rounds, exits_alone=alone, **times))
    rows[1]["curve"] = curve(variants[:1])
    return rows


def audits(one: Variant) -> list[dict[str, Any]]:  # Any: JSON
    """Do promises hold, with all exits kept? Calibration sets drawn 200 times."""
    costs = replace(one.parts, borders=np.zeros(one.evidence.exits - 1)).costs(range(one.evidence.exits - 1))
    found = []
    for kind, max_loss in itertools.product(("agreement", "harm"), (0.01, 0.02, 0.03)):
        promise = Target(max_loss=max_loss, confidence=0.95, kind=kind)
        seen = decide.audit(one.evidence, costs, score=one.score, promise=promise)
        found.append({"kind": kind, "max_loss": max_loss, "holds": seen.holds, **asdict(seen)})
        print(json.dumps(found[-1]), flush=True)
    return found


def rows_published(
    name: str, loaded: LoadedModel, train: Samples, test: Samples, work: Path, seed: int
) -> list[dict[str, Any]]:  # Any: JSON
    """PTEEnet's two knobs: lambda by training, T by evidence."""
    rows, variants = [], []
    for price, graph in train_published(name, loaded, train, work, seed):
        evidence = observe(graph, test, work / f"{name}-published.dense.onnx")
        variant = Variant(
            label=f"lambda {price:g}", evidence=evidence, parts=measure_torch.breakdown(graph), score="head_confidence",
            shared=True,
        )  # fmt: skip
        variants.append(variant)
        rows.append(at_half(name, variant, price))
    for goal, promise in GOALS.items():
        rounds = play(variants, promise, seed)
        times = clock(graph, rounds[0], test, work, f"{name}-published", seed) if promise.confidence > 0.5 else {}
        rows.append(row(name, "PTEEnet, both knobs", goal, rounds, **times))
    rows[len(variants)]["curve"] = curve(variants)
    return rows


def rows_earlyon(
    name: str, loaded: LoadedModel, train: Samples, test: Samples, work: Path, seed: int
) -> list[dict[str, Any]]:  # Any: JSON
    """The earlyon package: its heads, its scores, thresholds by our search; on the clock in our graph."""
    import _earlyon  # the package is there only where somebody wants this comparison

    model = _earlyon.train(loaded, train, seed=seed, file=work / f"{name}-earlyon.pt")
    rows = []
    for title, places in (("its three places", _earlyon.FACTORY), ("ten places", _earlyon.MANY)):
        picked = _earlyon.pick(loaded, model, places)
        evidence = _earlyon.evidence(picked, test)
        parts = measure_torch.breakdown(_earlyon.as_graph(loaded, picked))
        variants = [
            Variant(label=f"{score}, {'one threshold' if shared else 'one per exit'}", evidence=evidence, parts=parts,
                    score=score, shared=shared)
            for score in _earlyon.GATES for shared in (True, False)
        ]  # fmt: skip
        for goal, promise in GOALS.items():
            rounds = play(variants, promise, seed)
            times = {}
            if promise.confidence > 0.5:
                graph = _earlyon.as_graph(loaded, picked, rounds[0].variant.score)
                times = clock(graph, rounds[0], test, work, f"{name}-earlyon", seed)
            rows.append(row(name, f"earlyon, {title}", goal, rounds, **times))
        rows[-len(GOALS)]["curve"] = curve(variants)
    return rows


def at_half(name: str, one: Variant, price: float) -> dict[str, Any]:  # Any: JSON
    """One lambda at T = 0.5, as the paper's curve has it; its costs beside ours."""
    seen = one.evidence
    taken = measure.exits_taken(seen, [0.5] * (seen.exits - 1), one.score)
    answers = seen.predictions[np.arange(len(taken)), taken]
    costs = one.parts.costs(range(seen.exits - 1)).relative
    own = (np.cumsum(one.parts.stages) + np.append(one.parts.heads, 0.0)) / one.parts.baseline
    found = {
        "network": name, "method": f"PTEEnet, lambda {price:g}, T 0.5", "goal": "as published",
        "agreement": float(np.mean(answers == seen.reference)), "accuracy": float(np.mean(answers == seen.labels)),
        "relative_macs": float(costs[taken].mean()), "macs_as_published": float(own[taken].mean()),
        "exit_rates": (np.bincount(taken, minlength=seen.exits) / len(taken)).tolist(),
    }  # fmt: skip
    print(json.dumps(found), flush=True)
    return found


# ---- the page ----


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Agreement over relative MACs, one panel per network."""
    names = list(dict.fromkeys(one["network"] for one in rows))
    figure = Figure(figsize=(5.4 * len(names), 4.4), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        for method in dict.fromkeys(one["method"] for one in rows if one["network"] == name and "goal" in one):
            mine = [one for one in rows if one["network"] == name and one["method"] == method]
            if mine[0]["goal"] == "as published":
                continue
            points = sorted((one["relative_macs"], 100 * one["agreement"]) for one in mine)
            (line,) = axes.plot(*zip(*points, strict=True), "o", label=method)
            drawn = np.array(mine[0]["curve"])
            axes.plot(drawn[:, 0], 100 * drawn[:, 1], color=line.get_color(), linewidth=1)
        dots = [one for one in rows if one["network"] == name and one.get("goal") == "as published"]
        if dots:
            axes.plot(
                [one["relative_macs"] for one in dots], [100 * one["agreement"] for one in dots], "kx-", linewidth=0.5,
                markersize=4, label="PTEEnet, one lambda each, T 0.5",
            )  # fmt: skip
            axes.plot(
                [one["macs_as_published"] for one in dots], [100 * one["agreement"] for one in dots], "k+:",
                linewidth=0.5, markersize=5, label="the same, only the head that answers charged",
            )  # fmt: skip
            axes.plot(*zip(*PUBLISHED, strict=True), "s:", color="gray", linewidth=0.5, markersize=3,
                      label="published so, another network: ResNet-110")  # fmt: skip
        axes.axhline(99, color="gray", linewidth=0.8, linestyle=":")
        axes.set(title=name, xlabel="relative MACs, everything charged", ylabel="agreement, %", ylim=(90, 100.1))
        axes.legend(loc="lower right", fontsize=7)
    figure.savefig(path, dpi=130)


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A line per network, method and goal: the least cost at each accepted loss, and what was lost on images unseen."""
    titles = ("network", "method", "goal", "agreement %", "accuracy %", "points to full [95 %]", "relative MACs",
              "as published", "gain b1", "gain b64")  # fmt: skip
    lines = []
    for one in rows:
        low, high = one.get("interval", (0.0, 0.0))
        lost = f"{100 * one['difference']:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]" if "difference" in one else "-"
        lines.append([
            one["network"], one["method"], one.get("goal", "-"), f"{100 * one['agreement']:.2f}",
            f"{100 * one['accuracy']:.2f}", lost, f"{one['relative_macs']:.3f}",
            *(f"{one[name]:.{digits}f}" if name in one else "-"
              for name, digits in (("macs_as_published", 3), ("gain_b1", 2), ("gain_b64", 2))),
        ])  # fmt: skip
    for cost, agreement in PUBLISHED:
        known = ["resnet110", "PTEEnet, from its paper", "as published", f"{agreement:.2f}"]
        lines.append([*known, *"---", f"{cost:.3f}", *"--"])
    write_markdown(titles, lines, path)


PARTS = {"ours": rows_ours, "published": rows_published, "earlyon": rows_earlyon}


def main() -> None:
    """Parse options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--networks", nargs="+", default=list(PLANS), choices=list(PLANS))
    parser.add_argument("--parts", nargs="+", default=["ours", "published"], choices=list(PARTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="default: benchmarks/results/pteenet.json")
    options = parser.parse_args()
    out, known = open_results(options, "pteenet", "parts")
    train, test = data.load(f"{options.data}@train"), data.load(f"{options.data}@test")
    for name in options.networks:
        loaded = zoo.load_model(f"zoo:{name}", weights=Path(options.weights) / PLANS[name].weights)
        for part in options.parts:
            rows = PARTS[part](name, loaded, train, test, Path(options.work), options.seed)
            known[f"{name} {part}"] = {**stamp(options.seed), "rows": rows}
            out.write_text(json.dumps({"parts": known}, indent=1) + "\n")
    rows = [one for name in PLANS for part in PARTS for one in known.get(f"{name} {part}", {"rows": []})["rows"]]
    draw(rows, out.with_suffix(".png"))
    write_table(rows, out.with_suffix(".md"))


if __name__ == "__main__":
    main()
