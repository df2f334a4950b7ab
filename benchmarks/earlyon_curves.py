"""Curves of the package earlyon on the test images of CIFAR-10.

Run: python benchmarks/earlyon_curves.py --data npz:cifar10.npz --weights FOLDER/resnet56-4bfd9763.th --work DIR
--out FILE (writes its curves, and keeps the trained heads in DIR; see benchmarks/_earlyon.py for the package).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import earlyon
from _earlyon import (
    EPOCHS,
    FACTORY,
    GATES,
    MANY,
    OURS,
    collect,
    costs,
    evidence,
    fit_temperatures,
    pick,
    pick_logits,
    train,
)
from _results import write_rows
from earlyon import EarlyExitWrapper

from offramp import data, zoo
from offramp.measure import Frontier, OperatingPoint, frontier
from offramp.run import Samples
from offramp.zoo import LoadedModel

GOALS = (0.97, 0.98, 0.99)  # agreement


def curves(loaded: LoadedModel, model: EarlyExitWrapper, samples: Samples) -> Iterator[dict[str, Any]]:  # Any: JSON
    """Agreement over relative multiply-accumulates for its places, scores and kinds of thresholds, one by one.

    Thresholds are chosen, and temperatures fitted, on the samples that they are judged by: its curves at their best.
    """
    whole = collect(model, samples)
    for name, places in {"its places": FACTORY, "our places": OURS, "many places": MANY}.items():
        picked = pick(loaded, model, places)
        prices, logits = costs(loaded, picked), pick_logits(whole, model, picked)
        for cooled in (False, True):
            if cooled:
                fit_temperatures(picked, logits)
            seen = evidence(picked, samples, logits)
            for score, shared in product(GATES, (True, False)):
                drawn = frontier(seen, prices, score=score, shared=shared)
                yield {
                    "places": name, "score": score, "temperatures": "fitted" if cooled else "1", "shared": shared,
                    "exits": list(places), "relative_costs": prices.relative.tolist(),
                    "exits_agreement": (seen.predictions == seen.reference[:, None]).mean(axis=0).tolist(),
                    "goals": {f"{goal:g}": asdict(_cheapest(drawn, goal)) for goal in GOALS},
                    "curve": [[point.relative_macs, point.agreement, point.accuracy] for point in drawn.points],
                }  # fmt: skip


def _cheapest(drawn: Frontier, goal: float) -> OperatingPoint:
    return min((one for one in (*drawn.points, drawn.full) if one.agreement >= goal), key=lambda one: one.macs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    loaded = zoo.load_model("zoo:resnet56", weights=options.weights)
    model = train(
        loaded, data.load(f"{options.data}@train"), epochs=options.epochs, seed=options.seed,
        file=Path(options.work) / "earlyon.pt",
    )  # fmt: skip
    found = curves(loaded, model, data.load(f"{options.data}@test"))
    rows = [{"earlyon": earlyon.__version__, "epochs": options.epochs, **row} for row in found]
    write_rows(Path(options.out), rows, seed=options.seed)


if __name__ == "__main__":
    main()
