"""Seconds to draw a frontier over 10 exits and 50,000 samples, on one core, and its distance from brute force.

Run: python benchmarks/frontier.py (writes benchmarks/results/frontier.json)
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from _protocol import Row, full_row
from _results import RESULTS, write_rows
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from evidences import make_costs, make_evidence  # the synthetic evidence of the tests
from offramp.measure import Costs, Evidence, frontier, qualities

SCORE = "max_probability"


def _time(samples: int, exits: int, *, shared: bool, repeats: int, seed: int) -> Row:
    """The best of some repeats, and the point at 99 % agreement."""
    evidence, costs = make_evidence(samples, exits, seed=seed), make_costs(exits)
    spent, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        drawn = frontier(evidence, costs, score=SCORE, shared=shared)
        spent.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    point = [point for point in drawn.points if point.agreement >= 0.99][-1]
    return full_row(
        network="synthetic",
        data=f"{exits} exits x {samples} samples",
        method="one shared threshold" if shared else "one threshold per exit",
        accuracy=point.accuracy,
        agreement=point.agreement,
        macs=point.macs,
        relative_macs=point.relative_macs,
        thresholds=point.thresholds,
        exit_rates=point.exit_rates,
        note=f"{min(spent):.2f} s ({min(cpu):.2f} s of CPU), best of {repeats}; {len(drawn.points)} points",
    )


def _distance(seeds: int) -> Row:
    """The search against all combinations of 3 exits and 80 samples: more than it looks at one by one."""
    worst, costs = 0.0, make_costs(3)
    for seed in range(seeds):
        evidence = make_evidence(80, 3, seed=seed, classes=4)
        drawn = frontier(evidence, costs, score=SCORE)
        for quality, cost in zip(*_try_all(evidence, costs), strict=True):
            fine = [point.macs for point in (drawn.full, *drawn.points) if point.agreement >= quality - 1e-9]
            worst = max(worst, min(fine) / cost - 1)
    return full_row(
        network="synthetic", data=f"3 exits x 80 samples, {seeds} draws", method="search against brute force",
        note=f"at most {100 * worst:.3f} % more MACs at any agreement",
    )  # fmt: skip


def _try_all(evidence: Evidence, costs: Costs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each agreement that some combination of thresholds reaches, and the least cost at which one reaches it."""
    good, samples = qualities(evidence, "agreement"), len(evidence)
    ranks = np.argsort(np.argsort(-evidence.scores[SCORE], axis=0), axis=0)  # the k surest of an exit stop at level k
    levels = np.arange(samples + 1)
    right = np.zeros((samples + 1,) * 3)
    spent = np.zeros_like(right)
    for one in range(samples):
        stops = [levels > ranks[one, at] for at in range(3)]
        first, second, third = stops[0][:, None, None], stops[1][None, :, None], stops[2][None, None, :]
        left = np.where(first, 0, np.where(second, 1, np.where(third, 2, 3)))
        right += good[:, one][left]
        spent += costs.per_exit[left]
    counts = right.astype(int).ravel()
    least = np.full(samples + 1, np.inf)
    np.minimum.at(least, counts, spent.ravel() / samples)
    reached = np.flatnonzero(np.isfinite(least))
    return reached / samples, least[reached]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rows = [
        _time(samples, exits, shared=shared, repeats=options.repeats, seed=options.seed)
        for samples, exits in ((50_000, 10), (50_000, 3), (3_500, 5))
        for shared in (False, True)
    ]
    rows.append(_distance(20))
    for row in rows:
        print(f"{row['data']:34}{row['method']:28}{row['note']}")
    write_rows(RESULTS / "frontier.json", rows, seed=options.seed)


if __name__ == "__main__":
    main()
