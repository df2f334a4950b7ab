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
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from _cpu import PRECISION
from _frozen import PLANS, SCORES, add_exits, observe, train_ours
from _pteenet_pages import draw, write_table
from _results import open_results, write_parts
from _rounds import GOALS, Variant, clock, curve, play, row
from _stamp import stamp

from offramp import attach, capture, data, decide, learn, measure, zoo
from offramp.decide import Kind, Target
from offramp.graph import Graph
from offramp.measure import torch as measure_torch
from offramp.run import Samples
from offramp.zoo import LoadedModel

BORDER = 0.03  # what an exit costs on the clock besides its MACs, as a share of the network: batch 1 0.045, 64 0.01
PRICES = (0.3, 0.7, 0.9, 1.3)  # lambda; the first is trained longer, the others from the one before
FIRST = learn.CumulativeSettings(
    epochs=6, warm_epochs=4, price=PRICES[0], charge="own", precision=PRECISION, learning_rate=1e-3
)
NEXT = 2  # epochs per further lambda


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
        settings = replace(FIRST, price=price, seed=seed)
        if price != PRICES[0]:
            settings = replace(settings, epochs=NEXT, warm_epochs=0)
        file = work / f"{name}-published-{price:g}.ckpt"
        graph = learn.cumulative(graph, samples, settings, checkpoint=file, resume=True)
        yield price, graph


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
    costs, kinds = one.costs(range(one.evidence.exits - 1)), get_args(Kind)
    found = []
    for kind, max_loss in itertools.product(kinds[:2], (0.01, 0.02, 0.03)):
        promise = Target(max_loss=max_loss, confidence=0.95, kind=kind)
        seen = decide.audit(one.evidence, costs, score=one.score, target=promise)
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
    out, known = open_results(options, "pteenet")
    train, test = data.load(f"{options.data}@train"), data.load(f"{options.data}@test")
    for name in options.networks:
        loaded = zoo.load_model(f"zoo:{name}", weights=Path(options.weights) / PLANS[name].weights)
        for part in options.parts:
            rows = PARTS[part](name, loaded, train, test, Path(options.work), options.seed)
            known[f"{name} {part}"] = {**stamp(options.seed), "rows": rows}
            write_parts(out, known, latest=f"{name} {part}")
    rows = [one for name in PLANS for part in PARTS for one in known.get(f"{name} {part}", {"rows": []})["rows"]]
    draw(rows, out.with_suffix(".png"))
    write_table(rows, out.with_suffix(".md"))


if __name__ == "__main__":
    main()
