"""Seconds to draw a frontier over 10 exits and 50,000 samples, on one core, and its distance from brute force.

Run: python benchmarks/frontier.py (writes benchmarks/results/frontier.json)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _stamp import stamp

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from evidences import make_costs, make_evidence  # the synthetic evidence of the tests
from offramp.measure import frontier, qualities
from offramp.measure._levels import find_levels
from offramp.measure._pareto_set import unbeaten
from offramp.measure._search import search
from offramp.measure._threshold_grid import threshold_grid

SCORE = "max_probability"
FIELDS = (
    *("system", "network", "data", "method", "accuracy", "agreement", "macs", "relative_macs", "latency_s", "gain_b1"),
    *("gain_b64", "efficiency_b1", "efficiency_b64", "thresholds", "exit_rates", "note"),
)


def _row(**known: Any) -> dict[str, Any]:  # Any: JSON
    return {**dict.fromkeys(FIELDS), "system": "ours", "network": "synthetic", **known}


def _time(samples: int, exits: int, *, shared: bool, repeats: int, seed: int) -> dict[str, Any]:
    """The best of some repeats, and the point at 99 % agreement."""
    evidence, costs = make_evidence(samples, exits, seed=seed), make_costs(exits)
    spent, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        drawn = frontier(evidence, costs, score=SCORE, shared=shared)
        spent.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    point = [point for point in drawn.points if point.agreement >= 0.99][-1]
    return _row(
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


def _distance(seeds: int) -> dict[str, Any]:
    """The search against all combinations of 3 exits and 60 samples."""
    worst, costs = 0.0, make_costs(3)
    for seed in range(seeds):
        evidence = make_evidence(60, 3, seed=seed, classes=4)
        levels = tuple(find_levels(column, evidence.gates[SCORE]) for column in evidence.scores[SCORE].T)
        good = qualities(evidence, "agreement")
        everything = threshold_grid(levels, good, costs.per_exit)
        found = search(levels, good, costs.per_exit, everything.take(np.array([0])), np.zeros((1, 3), np.int32))
        best = unbeaten(everything)
        for quality, cost in zip(best.quality, best.cost, strict=True):
            worst = max(worst, found.cost[found.quality >= quality].min() / cost - 1)
    return _row(
        data=f"3 exits x 60 samples, {seeds} draws",
        method="search against brute force",
        note=f"at most {100 * worst:.3f} % more MACs at any agreement",
    )


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
    result = {**stamp(options.seed), "rows": rows}
    path = Path(__file__).parent / "results" / "frontier.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
