"""How the learning rate goes over a training, as a factor of its peak."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

Schedule = Literal["cosine", "step", "constant"]

_WARM_UP = 0.05  # share of all steps
_MILESTONES = (0.5, 0.75)  # of all steps; at each the rate falls to a tenth


def learning_rate(step: int, total: int, schedule: Schedule = "cosine") -> float:
    """Factor in (0, 1] of the peak rate, after a linear warm-up over 5 % of the steps.

    Args:
        step: Counted from 0.
        total: Number of steps.
        schedule: "cosine" falls to 0 like half a cosine, "step" to a tenth at half and again at three quarters of the
            steps, "constant" stays.

    Example:
        >>> [round(learning_rate(step, 100), 2) for step in (0, 4, 5, 52, 99)]
        [0.2, 1.0, 1.0, 0.51, 0.0]
    """
    warm = max(1, round(_WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return _SHAPES[schedule](step, warm, total)


def _cosine(step: int, warm: int, total: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def _steps(step: int, warm: int, total: int) -> float:
    return float(0.1 ** sum(step >= share * total for share in _MILESTONES))


_SHAPES: Mapping[Schedule, Callable[[int, int, int], float]] = {
    "cosine": _cosine,
    "step": _steps,
    "constant": lambda step, warm, total: 1.0,
}
