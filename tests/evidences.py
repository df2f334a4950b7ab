"""Evidence of a known shape, for the tests of several floors: a network whose exits get better with depth.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples, K classes.
"""

from __future__ import annotations

import numpy as np

from offramp.graph import Gate
from offramp.measure import Costs, Evidence

GATES = {
    "max_probability": Gate(direction="higher", stop_all=0.0, stop_none=2.0),
    "entropy": Gate(direction="lower", stop_all=float("inf"), stop_none=0.0),
}


def make_evidence(samples: int, exits: int, *, seed: int = 0, classes: int = 10, labels: bool = True) -> Evidence:
    """Logits whose margin grows with depth and falls with the hardness of the sample; `exits` early ones."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, samples)
    hard = random.normal(size=samples)
    depth = (np.arange(exits + 1) + 1) / (exits + 1)
    margin = 1 + 2.5 * depth - 1.3 * hard[:, None] + 0.7 * random.normal(size=(samples, exits + 1))
    logits = 0.7 * random.normal(size=(samples, exits + 1, classes))
    logits[np.arange(samples), :, truth] += 2 * margin
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    entropy = -(shares * np.log(shares + 1e-12)).sum(axis=2)
    predictions = logits.argmax(axis=2)
    return Evidence(
        ids=np.arange(samples),
        predictions=predictions,
        scores={"max_probability": shares.max(axis=2)[:, :-1], "entropy": entropy[:, :-1]},
        gates=GATES,
        reference=predictions[:, -1],
        labels=truth if labels else None,
    )


def make_costs(exits: int) -> Costs:
    """Costs of stages that grow a little with depth, heads included; `exits` early ones."""
    stages = np.linspace(1.0, 1.5, exits + 1)
    return Costs(per_exit=np.cumsum(stages) * 1e6, baseline=float(stages.sum()) * 0.97e6, unit="macs")
