"""Does the promise hold? Tune once, draw the calibration samples 200 times from the rest, count how often it breaks.

`python benchmarks/redraws.py` judges synthetic evidence of a network with three exits, four seeds of it; with folders
of runs it judges their evidence, by the score of their gates. Arithmetic only: no network runs, no clock is read.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import offramp
from offramp.decide import Kind, Target, audit
from offramp.measure import Costs, Evidence

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from evidences import make_costs, make_evidence

KINDS: tuple[Kind, ...] = ("agreement", "harm", "net")
Case = tuple[str, Evidence, Costs, str]


def synthetic(seeds: int) -> Iterator[Case]:
    for seed in range(seeds):
        yield f"synthetic, seed {seed}", make_evidence(8000, 3, seed=seed), make_costs(3), "max_probability"


def folder(path: Path) -> Case:
    run = offramp.load(path)
    return str(path.name), Evidence.load(path / "evidence.npz"), run.costs, run.record.score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folders", nargs="*", type=Path, help="of runs; default: synthetic evidence")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=4, help="of synthetic evidence")
    parser.add_argument("--max-loss", type=float, nargs="*", default=[0.01, 0.02])
    options = parser.parse_args()
    cases = [folder(path) for path in options.folders] or list(synthetic(options.seeds))
    print("| evidence | kind | promised | broken in | at most honest | refused | mean loss | MACs | holds |")
    print("|---|---|---|---|---|---|---|---|---|")
    held = True
    for (name, seen, costs, score), kind, loss in itertools.product(cases, KINDS, options.max_loss):
        if seen.labels is None and kind != "agreement":
            continue
        found = audit(seen, costs, score=score, target=Target(max_loss=loss, kind=kind), draws=options.draws)
        held &= found.holds
        print(
            f"| {name} | {kind} | {loss:.1%} | {found.share_exceeding:.1%} | {found.limit:.1%} | "
            f"{found.share_refused:.1%} | {found.mean_loss:.2%} | {found.relative_macs:.3f} | "
            f"{'yes' if found.holds else 'NO'} |"
        )
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
